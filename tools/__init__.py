"""What Make's verbs need besides the tests: no part of the product."""
