"""Money: what a study costs and who gets it, from receipts in the log and a tariff. Pure: anybody can recompute it.

Receipts -> `facts` -> `run` -> `statement`; `recompute` walks the same way again. Research: governance.md 5.4.
"""
