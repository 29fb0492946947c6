"""Steps from what runs to what is wanted: the difference, a safe order, what each step cuts. Pure."""
