"""Array access without wrap-around and with the promise that what is read is not what is written.

Numba indexes with 64 bits, tests every index for a negative value and must assume that a store to one array changes
another; each of the three keeps LLVM from vectorising gathers. These intrinsics give it 32-bit indices and alias scopes
(https://llvm.org/docs/LangRef.html#noalias-and-alias-scope-metadata). Indices are the caller's responsibility. Numba
has no prefetch either.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils

intrinsic: Any = extending.intrinsic


def _index(index: Any) -> Any:
    """32 bits stay 32 bits: eight more lanes a gather."""
    return types.int32 if index == types.int32 else types.intp


def _scopes(builder: ir.IRBuilder) -> tuple[Any, Any]:
    module = builder.module
    domain = module.add_metadata(["carm_env"])
    read = module.add_metadata([module.add_metadata(["read", domain])])
    written = module.add_metadata([module.add_metadata(["written", domain])])
    return read, written


def _pointer(context: Any, builder: ir.IRBuilder, array_type: Any, array: Any, index: ir.Value) -> ir.Value:
    data = cgutils.create_struct_proxy(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def get(typing_context: Any, array: Any, index: Any) -> Any:
    """``array[index]`` of a contiguous array by flat index; nothing may write to it in the same loop."""
    signature = array.dtype(array, _index(index))

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        value = builder.load(_pointer(context, builder, sig.args[0], args[0], args[1]))
        read, written = _scopes(builder)
        value.set_metadata("alias.scope", read)
        value.set_metadata("noalias", written)
        return value

    return signature, codegen


@intrinsic
def get_pair(typing_context: Any, array: Any, index: Any) -> Any:
    """``array[index] | array[index + 1] << 16`` of a contiguous uint16 array as uint32: one unaligned load."""
    signature = types.uint32(array, _index(index))

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        pointer = _pointer(context, builder, sig.args[0], args[0], args[1])
        value = builder.load(builder.bitcast(pointer, ir.IntType(32).as_pointer()), align=2)
        read, written = _scopes(builder)
        value.set_metadata("alias.scope", read)
        value.set_metadata("noalias", written)
        return value

    return signature, codegen


@intrinsic
def add(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """``array[index] += value`` of a contiguous float array by flat index; nobody reads it by ``get``."""
    signature = types.void(array, _index(index), array.dtype)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> None:
        pointer = _pointer(context, builder, sig.args[0], args[0], args[1])
        read, written = _scopes(builder)
        old = builder.load(pointer)
        store = builder.store(builder.fadd(old, args[2], flags=["fast"]), pointer)
        for instruction in (old, store):
            instruction.set_metadata("alias.scope", written)
            instruction.set_metadata("noalias", read)

    return signature, codegen


@intrinsic
def swap(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Puts ``value`` at ``array[index]`` of a contiguous array by flat index and returns what was there."""
    signature = array.dtype(array, _index(index), array.dtype)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        pointer = _pointer(context, builder, sig.args[0], args[0], args[1])
        read, written = _scopes(builder)
        old = builder.load(pointer)
        store = builder.store(args[2], pointer)
        for instruction in (old, store):
            instruction.set_metadata("alias.scope", written)
            instruction.set_metadata("noalias", read)
        return old

    return signature, codegen


@intrinsic
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Begins to load the cache line of ``array[index]`` of a contiguous array; a wrong index does no harm."""
    signature = types.void(array, types.intp)

    def codegen(context: Any, builder: ir.IRBuilder, sig: Any, args: Any) -> None:
        pointer = _pointer(context, builder, sig.args[0], args[0], args[1])
        address = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", (address.type,), kind)
        to_read, keep, data = number(0), number(3), number(1)
        builder.call(function, [address, to_read, keep, data])

    return signature, codegen
