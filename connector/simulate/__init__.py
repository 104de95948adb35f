"""Looking back and forward: what a playbook would have done in a shop's past, what an edit changes, what comes next.

`shards.look_back` lives a shop's past through one playbook or two (backtest, diff); `forward.look_forward` lives one
customer's future from what is known today (simulate). Both are the production path on a clock of their own, over a
copy in memory: nothing is written to the store, nothing is sent.
"""
