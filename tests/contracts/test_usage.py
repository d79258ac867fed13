"""What ``tap/lms/usage.py`` relies on."""


def test_the_usage_tracker_sums_what_can_be_summed() -> None:
    from dspy.utils.usage_tracker import UsageTracker

    tracker = UsageTracker()
    tracker.add_usage("m", {"prompt_tokens": 1, "details": {"cached": 2}})
    tracker.add_usage("m", {"prompt_tokens": 3, "details": {"cached": 4}})
    assert tracker.get_total_tokens() == {"m": {"prompt_tokens": 4, "details": {"cached": 6}}}, (
        "look at tap/state.py and tap/lms/lm_call.py"
    )
