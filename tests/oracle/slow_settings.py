"""Hypothesis's settings for examples that each write, read and judge a whole feed."""

from hypothesis import HealthCheck, Phase, settings

slow_is_fine = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=set(Phase) - {Phase.explain},  # explaining a failure takes longer than finding it
    report_multiple_bugs=False,
)
