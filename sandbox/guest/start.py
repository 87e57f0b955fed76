"""The first steps of the world, in the order that matters: the root node is forked before anything is imported that it
does not need, because every interpreter of the world descends from it and carries what it has."""

from guest import kernel, node


def main():
    expendable = kernel.Expendable()
    with expendable:
        root = node.spawn()
    kernel.hide()
    kernel.adopt_orphans()
    from guest.supervisor import Supervisor

    Supervisor(*root, expendable).serve()
