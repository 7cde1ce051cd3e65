"""The closed lists of words."""

from agent.contract.verdict import Result


def test_there_are_three_verdict_words():
    assert [result.value for result in Result] == ["Passed", "Failed", "Inconclusive"]
