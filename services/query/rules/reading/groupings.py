"""Finds what a question is grouped by: "by month and seller", "for each category", "daily", "which sellers"."""

from services.query.rules.plan import Dimension
from services.query.rules.reading.sheet import Sheet
from services.query.rules.reading.vocabulary import GROUPING, NOUNS, TIME_ADJECTIVES
from services.query.rules.suggestions import decline


class Grouping:
    """What is asked for "by": `dimensions` in order, those introduced by each, every or per, and a measure's place."""

    def __init__(self) -> None:
        self.dimensions: list[Dimension] = []
        self.each: list[Dimension] = []
        self.by_metric_at: int | None = None


def read_grouping(sheet: Sheet) -> Grouping:
    grouping = Grouping()
    for at in range(len(sheet.words)):
        word = sheet.free(at)
        if word in TIME_ADJECTIVES:
            sheet.claim(at, at + 1)
            grouping.dimensions.append(TIME_ADJECTIVES[word])
        elif word in GROUPING:
            _read_group(sheet, at, grouping)
    for at in range(len(sheet.words)):
        # "products by revenue", "which sellers …": the noun alone says what the rows are.
        if sheet.free(at) in NOUNS and (_asks_which(sheet, at) or grouping.by_metric_at == at + 1):
            grouping.dimensions.append(NOUNS[sheet.words[at].plain])
            sheet.claim(at, at + 1)
    return grouping


def _asks_which(sheet: Sheet, at: int) -> bool:
    return at > 0 and sheet.free(at - 1) in ("which", "what")


def _read_group(sheet: Sheet, at: int, grouping: Grouping) -> None:
    """by month and seller · for each category · grouped by … · by revenue (an order) · by acme (a name)"""
    word = sheet.free(at)
    begin = at - 1 if at > 0 and sheet.free(at - 1) in ("grouped", "sorted", "ordered", "ranked", "split") else at
    if at > 1 and sheet.free(at - 2) == "broken" and sheet.free(at - 1) == "down":
        begin = at - 2
    behind = sheet.skip(at + 1, "total", "the", "each")
    if word == "by" and sheet.is_name(behind):
        sheet.claim(at, at + 1)
        return
    if word == "by" and behind in sheet.metric_starts:
        if grouping.by_metric_at is not None:
            raise decline("The question names more than one order.")
        grouping.by_metric_at = at
        sheet.order_metric_at = behind
        sheet.claim(begin, behind)
        return
    last = behind
    nouns: list[Dimension] = []
    while (noun := sheet.free(last)) in NOUNS:
        nouns.append(NOUNS[noun])
        joint = sheet.skip(last + 1, "and", "then", "by", "per", "each", "the", "&")
        last += 1
        if sheet.free(joint) not in NOUNS:
            break
        last = joint
    if not nouns:
        return
    sheet.claim(begin, last)
    grouping.dimensions += nouns
    if word != "by":
        grouping.each += nouns
