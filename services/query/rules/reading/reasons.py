"""Words that people use and that are not understood, each with the reason, as data."""

AVERAGE = ("average", "avg", "mean")

_NO_SUCH_DATA = "the data are sums per seller, day, product, category and currency; they do not have {}"
REASONS: dict[str, str] = {
    **dict.fromkeys(
        ("customer", "customers", "buyer", "buyers", "client", "clients"), _NO_SUCH_DATA.format("customers")
    ),
    **dict.fromkeys(
        ("region", "regions", "country", "countries", "city", "cities", "state"), _NO_SUCH_DATA.format("places")
    ),
    **dict.fromkeys(
        ("profit", "profits", "margin", "margins", "cost", "costs", "tax", "taxes"),
        _NO_SUCH_DATA.format("costs, taxes or profits"),
    ),
    **dict.fromkeys(("order", "orders", "single"), _NO_SUCH_DATA.format("single orders or transactions")),
    **dict.fromkeys(("median", "mode", "percentile", "variance"), "only sums and ratios of sums can be formed"),
    **dict.fromkeys(
        ("predict", "forecast", "expect", "estimate", "will", "tomorrow", "next"),
        "only what was sold is known; nothing is predicted",
    ),
    **dict.fromkeys(
        ("not", "no", "never", "without", "except", "excluding", "other", "only", "but", "n't", "didn't", "none"),
        "exclusions cannot be asked for yet",
    ),
    **dict.fromkeys(
        ("more", "less", "than", "over", "under", "above", "below", "exceeding", "fewer", "least"),
        "conditions on a total cannot be asked for yet",
    ),
    **dict.fromkeys(
        ("compare", "compared", "comparison", "versus", "vs", "growth", "change", "increase", "decrease", "trend"),
        "comparisons cannot be asked for yet",
    ),
    **dict.fromkeys(
        ("share", "percent", "percentage", "proportion", "cumulative", "running"),
        "shares and running sums cannot be asked for yet",
    ),
    **dict.fromkeys(("should", "recommend", "advise", "focus", "why"), "only figures are given, no advice"),
    **dict.fromkeys(("containing", "contains", "like", "similar"), "names are matched whole"),
    **dict.fromkeys(("all", "both", "any", "some", "or"), "this condition cannot be asked for yet"),
    **dict.fromkeys(("my", "mine", "i"), "it is not known who “I” is: name the seller"),
    **dict.fromkeys(
        AVERAGE,
        "an average needs its divisor: ask for the average price, or for revenue or units per transaction",
    ),
    **dict.fromkeys(("count", "many", "number"), "say what is counted: transactions, units, products or sellers"),
    **dict.fromkeys(
        ("dollar", "dollars", "pound", "pounds", "franc", "francs", "yen", "krona", "crown", "crowns"),
        "name the currency by its code, as in “in USD”",
    ),
    **dict.fromkeys(("much",), "say how much of what: revenue, units or transactions"),
    **dict.fromkeys(("sale",), "say revenue, units or transactions"),
}
"""Why some words that people use are not understood. They are never taken for names unless quoted."""
