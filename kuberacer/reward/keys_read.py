"""Which keys of params a reward function reads, found in its syntax tree."""

import ast

# With these in the file, a name may be read without being written.
_REFLECTION = {"locals", "vars", "globals", "eval", "exec"}


def keys_read(tree: ast.Module, function: str) -> set[str] | None:
    """Keys that the module's `function` reads from its argument, through helper functions too; None: perhaps any."""
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if function not in functions or any(isinstance(n, ast.Name) and n.id in _REFLECTION for n in ast.walk(tree)):
        return None
    keys: set[str] = set()
    todo, seen = [(function, 0)], set()
    while todo:
        name, position = todo.pop()
        if (name, position) in seen:
            continue
        seen.add((name, position))
        uses = _uses(functions[name], position, functions)
        if uses is None:
            return None
        keys |= uses[0]
        todo += uses[1]
    return keys


def _uses(
    function: ast.FunctionDef, position: int, functions: dict[str, ast.FunctionDef]
) -> tuple[set[str], list[tuple[str, int]]] | None:
    """(keys read, helpers that get params with its position among their arguments); None when params escapes."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    if arguments.vararg or arguments.kwarg or position >= len(positional) or function.decorator_list:
        return None
    name = positional[position].arg
    keys, helpers, understood = set(), [], set()
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and _is(node.value, name) and _is_text(node.slice):
            # A store counts as a read: it may be one of `params[k] += 1`.
            keys.add(node.slice.value)  # type: ignore[attr-defined]
            understood.add(node.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is(node.func.value, name):
            if node.func.attr == "get" and node.args and _is_text(node.args[0]):
                keys.add(node.args[0].value)  # type: ignore[attr-defined]
                understood.add(node.func.value)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            for at, argument in enumerate(node.args):
                if _is(argument, name):
                    helpers.append((node.func.id, at))
                    understood.add(argument)
    mentions = {node for node in ast.walk(function) if _is(node, name)}
    inner_names = [node.arg for node in ast.walk(function) if isinstance(node, ast.arg)].count(name)
    return (keys, helpers) if mentions <= understood and inner_names == 1 else None


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
