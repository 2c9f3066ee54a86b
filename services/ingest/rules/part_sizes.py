"""How large the parts of a multipart upload are.

S3's limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
"""

MIB = 1024 * 1024
FIRST_PART_BYTES = 8 * MIB
MAX_PARTS = 10_000
MAX_OBJECT_BYTES = 5 * 1024 * 1024 * MIB
PARTS_PER_SIZE = 1_000


def part_size(number: int) -> int:
    """Bytes that part `number` (from 1) holds at least.

    It doubles every thousand parts: files below 8 GB never need more than two 8 MiB buffers, and 10,000 parts
    hold more than the largest object there may be.
    """
    return FIRST_PART_BYTES << ((number - 1) // PARTS_PER_SIZE)
