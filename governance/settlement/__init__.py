"""Settlement: what a study costs and who gets it, from the log's receipts, to the won; never edited, only added to."""
