import numpy as np

from hepflow.samples import datataking as d


def test_every_block_is_either_certified_or_not():
    good, bad = d.blocks(certified=True), d.blocks(certified=False)
    assert len(good) + len(bad) == sum(d.BLOCKS.values())
    assert not {tuple(x) for x in good.tolist()} & {tuple(x) for x in bad.tolist()}


def test_the_list_misses_a_run_before_one_between_and_one_after():
    runs, listed = sorted(d.BLOCKS), sorted(int(run) for run in d.certified_list())
    missing = set(runs) - set(listed)
    assert len(runs) >= 20
    assert min(missing) < listed[0]
    assert max(missing) > listed[-1]
    assert any(listed[0] < run < listed[-1] for run in missing)


def test_the_list_says_the_same_as_the_blocks():
    listing = d.certified_list()
    expanded = [
        (int(run), block)
        for run, ranges in listing.items()
        for first, last in ranges
        for block in range(first, last + 1)
    ]
    assert np.array_equal(np.array(expanded), d.blocks(certified=True))
    assert any(len(ranges) > 1 for ranges in listing.values())
