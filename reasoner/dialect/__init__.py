"""Control tokens and templates: a task becomes token ids, a completion becomes steps. Pure; nothing else knows them."""
