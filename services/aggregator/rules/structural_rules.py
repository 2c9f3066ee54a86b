"""Rules of rows whose cells cannot be trusted: no other rule is asked of such a row. For the words see row_rules.py."""

from services.aggregator.rules.row_rule import RowRule, error

STRUCTURAL_RULES: tuple[RowRule, ...] = (
    error(
        "format/unclosed_quote",
        None,
        "fault = 'format/unclosed_quote'",
        "A quote opens in this row and is never closed.",
        "Everything after it is inside the quotes, so where the row ends is unknown.",
        structural=True,
    ),
    error(
        "format/stray_quote",
        None,
        "fault = 'format/stray_quote'",
        'Text follows a closing quote. Write a quote inside a quoted value twice: "5"" pipe".',
        "Where the value ends has two readings.",
        structural=True,
    ),
    error(
        "format/line_too_long",
        None,
        "fault = 'format/line_too_long'",
        "This row is too long, which may come from a quote that opens a value by mistake.",
        "Rows are read with bounded memory.",
        structural=True,
    ),
    error(
        "format/broken_json",
        None,
        "fault = 'format/broken_json'",
        "This is no JSON object.",
        "What a broken object was meant to say is unknown.",
        structural=True,
    ),
    error(
        "format/repeated_key",
        None,
        "fault = 'format/repeated_key'",
        "This JSON object has the same name twice.",
        "Which of its two values counts has two readings.",
        structural=True,
    ),
    error(
        "format/nested_value",
        None,
        "fault = 'format/nested_value'",
        "A column that is read holds a list, an object, or true or false where a single text or number belongs.",
        "Which part of it is the value is unknown.",
        structural=True,
    ),
    error(
        "format/cell_error",
        None,
        "fault = 'format/cell_error'",
        "A cell of a column that is read holds an error, such as #N/A or #REF!.",
        "The workbook itself does not know the value.",
        structural=True,
    ),
    error(
        "format/too_many_columns",
        None,
        "fault IS NULL AND surplus",
        "This row has more columns than the feed; a value that holds the delimiter must be quoted.",
        "Which value belongs to which column is unknown.",
        structural=True,
    ),
    error(
        "format/too_few_columns",
        None,
        "fault IS NULL AND cells < width",
        "This row has fewer columns than the feed.",
        "Which value is absent is unknown.",
        structural=True,
    ),
)
