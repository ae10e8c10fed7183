"""A company's study with any number of hospitals: plan, application, permit, agreements, end; the search for data."""
