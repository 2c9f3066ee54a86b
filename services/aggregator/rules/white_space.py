"""What counts as white space: around a value, and in a line that is therefore blank. Unicode's spaces and the BOM."""

AROUND_VALUES = " \t\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000\ufeff"
"""Trimmed from every cell. Other control characters stay, and are told: they are no space that anybody typed."""

IN_BLANK_LINES = AROUND_VALUES + "\n\v\f\r"
"""A line of these and delimiters alone is no row."""

IN_BLANK_LINES_CLASS = "".join(f"\\x{{{ord(character):x}}}" for character in IN_BLANK_LINES)
"""The same as the inside of a character class of the engine's regular expressions (RE2)."""
