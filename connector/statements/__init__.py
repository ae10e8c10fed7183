"""A party's statements: what a settlement says it pays or gets, computed again here before it is signed."""
