"""The groups into which the UI folds the lineage can be read from left to right."""

from __future__ import annotations

from collections import Counter

from assets.definitions import build_defs


def test_the_groups_flow_one_way_and_none_is_crowded() -> None:
    graph = build_defs().resolve_asset_graph()
    group = {key: graph.get(key).group_name or "" for key in graph.get_all_asset_keys()}
    names = sorted(set(group.values()))
    assert names == [
        "1_source", "2_raw", "3_clean", "4_numbers", "5_names", "6_links", "7_verdicts",
        "8_publish", "9_target",
    ]  # fmt: skip
    assert max(Counter(group.values()).values()) <= 16
    backwards = [
        (parent.to_user_string(), key.to_user_string())
        for key in group
        for parent in graph.get(key).parent_keys
        if group[parent] > group[key]
    ]
    assert backwards == []
