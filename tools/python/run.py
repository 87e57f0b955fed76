"""Run Python code once: {"code": ...} on stdin, what it prints on stdout. Standard library only.

This is the tool by hand, for people. In a world the same code runs in the interpreter that the snapshot holds, so names
live from call to call; here they end with the process.
"""

import ast
import json
import sys


def main() -> None:
    code = json.load(sys.stdin)["code"]
    tree = ast.parse(code, "<cell>")
    namespace = {"__name__": "__main__"}
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)
        if value is not None:
            print(repr(value))


if __name__ == "__main__":
    main()
