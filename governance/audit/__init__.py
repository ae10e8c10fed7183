"""Audit: who could use a dataset on a day, by which rule, and did they? Answers that verify without this operator."""
