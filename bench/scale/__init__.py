"""What a request, a scrape and a start cost as work grows: conversations, rules, taxonomies, targets, streams at once.

Each cost is measured at several sizes, by turns in rounds, so that what else the machine does falls on all of them;
what is fitted is the exponent of the size that the cost grows with. 0 is flat, 1 is linear.
"""
