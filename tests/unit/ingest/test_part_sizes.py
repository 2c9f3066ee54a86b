"""Parts of a multipart upload stay within S3's limits for every size of file."""

from services.ingest.rules.part_sizes import MAX_OBJECT_BYTES, MAX_PARTS, MIB, part_size


def test_parts_grow_so_that_the_largest_object_fits() -> None:
    sizes = [part_size(number) for number in range(1, MAX_PARTS + 1)]
    assert sizes[0] == 8 * MIB
    assert sizes == sorted(sizes)
    assert sum(sizes) >= MAX_OBJECT_BYTES
    assert max(sizes) <= 5 * 1024 * MIB


def test_files_of_today_use_the_smallest_parts() -> None:
    assert {part_size(number) for number in range(1, 641)} == {8 * MIB}  # 5 GiB
