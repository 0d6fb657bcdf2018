"""What a reward's module consists of: whether it can remember anything between two calls."""

import ast

_PURE_CALLS = {"abs", "bool", "float", "int", "len", "max", "min", "pow", "round", "sum", "tuple"}
_WAYS_TO_STATE = {"globals", "setattr", "delattr", "vars", "locals", "eval", "exec", "__import__"}


def keeps_no_state(tree: ast.Module) -> bool:
    """True only when it is certain: the module has functions, imports and immutable constants, and no function stores
    into anything that outlives its call. Modules that it imports are taken to be stateless."""
    if not all(_harmless(node) for node in tree.body):
        return False
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return not any(_may_store(node) for function in functions for node in ast.walk(function))


def is_main_block(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":`, which does not run here."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _harmless(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom) or is_main_block(node):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.FunctionDef):
        defaults = [default for default in node.args.defaults + node.args.kw_defaults if default is not None]
        return not node.decorator_list and all(_immutable(default) for default in defaults)
    if isinstance(node, ast.Assign):
        return all(isinstance(target, ast.Name) for target in node.targets) and _immutable(node.value)
    if isinstance(node, ast.AnnAssign):
        return isinstance(node.target, ast.Name) and (node.value is None or _immutable(node.value))
    return False


def _immutable(node: ast.expr) -> bool:
    """Whether the value can't change: numbers, texts, tuples, arithmetic on them, math.pi, math.sqrt(2)."""
    if isinstance(node, ast.Constant | ast.Name):
        return True
    if isinstance(node, ast.Tuple):
        return all(_immutable(element) for element in node.elts)
    if isinstance(node, ast.UnaryOp):
        return _immutable(node.operand)
    if isinstance(node, ast.BinOp):
        return _immutable(node.left) and _immutable(node.right)
    if isinstance(node, ast.Attribute):
        return _is_math(node)
    if isinstance(node, ast.Call):
        pure = _is_math(node.func) or (isinstance(node.func, ast.Name) and node.func.id in _PURE_CALLS)
        return pure and not node.keywords and all(_immutable(argument) for argument in node.args)
    return False


def _is_math(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "math"


def _may_store(node: ast.AST) -> bool:
    if isinstance(node, ast.Global | ast.Nonlocal | ast.ClassDef):
        return True
    if isinstance(node, ast.Attribute):
        return not isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.Name) and node.id in _WAYS_TO_STATE
