"""How class folders are split."""

import pytest

from tinynets.engine.data.splitting import PARTS, split_files


def part_of(files, test_size=0.1, val_size=0.1, seed=0):
    split = split_files(files, test_size, val_size, seed)
    return {name: part for part in PARTS for names in split[part].values() for name in names}


def names(label, count, start=0):
    return [f"{label}/{index:04}.jpg" for index in range(start, start + count)]


def test_every_class_is_split_alike():
    files = {label: names(label, 2000) for label in ("ant", "bee")}
    split = split_files(files, 0.1, 0.2, 0)
    for label in files:
        counts = [len(split[part][label]) for part in PARTS]
        assert sum(counts) == 2000
        assert counts == pytest.approx([1400, 400, 200], abs=60)  # 3 standard deviations
    assert split["train"]["ant"] == sorted(split["train"]["ant"])


def test_adding_files_moves_no_other():
    before = part_of({"ant": names("ant", 100), "bee": names("bee", 40)})
    after = part_of({"ant": names("ant", 300), "bee": names("bee", 41), "cricket": names("cricket", 5)})
    assert {name: after[name] for name in before} == before


def test_the_seed_decides():
    files = {"ant": names("ant", 200)}
    assert part_of(files, seed=3) == part_of(files, seed=3)
    assert part_of(files, seed=3) != part_of(files, seed=4)
    larger = part_of(files, test_size=0.3)  # a larger test set holds the smaller one
    assert all(larger[name] == "test" for name, part in part_of(files).items() if part == "test")


@pytest.mark.parametrize(("count", "parts"), [(1, "train"), (2, "test train"), (3, "test train val")])
def test_small_classes_keep_a_training_image(count, parts):
    for seed in range(40):
        found = part_of({"ant": names("ant", count)}, 0.3, 0.3, seed)
        assert " ".join(sorted(set(found.values()))) == parts
    for seed in range(40):
        assert set(part_of({"ant": names("ant", 9)}, seed=seed).values()) == set(PARTS)


@pytest.mark.parametrize("sizes", [(0, 0.1), (0.5, 0.5), (-0.1, 0), (1.5, 0), (0.1, -0.1)])
def test_invalid_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match=r"test_size \(--test-size\) must be above 0, .* below 1, got"):
        split_files({"ant": names("ant", 10)}, *sizes, 0)


def test_no_validation_and_only_test_images():
    assert "val" not in part_of({"ant": names("ant", 100)}, 0.2, 0).values()
    assert set(part_of({"ant": names("ant", 100)}, 1, 0.1).values()) == {"test"}
