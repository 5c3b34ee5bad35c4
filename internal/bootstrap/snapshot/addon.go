package snapshot

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// addon is a native module of Node for the processor goarch, as a file's content: a shared object whose one function, which Node calls when the
// module is loaded, calls RAND_poll of OpenSSL. It is written here, in 100 lines, because a compiler's output could not be read by anybody.
//
//	napi_value napi_register_module_v1(napi_env env, napi_value exports) { RAND_poll(); return NULL; }
//
// RAND_poll is part of every Node: the official ones export it for addons, and Debian's and Alpine's are linked with libcrypto. Nothing
// else is asked of the system, neither glibc nor musl.
//
// See https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html, and for the relocations the ABI of each processor.
func addon(goarch string) ([]byte, error) {
	cpu, ok := processors[goarch]
	if !ok {
		return nil, fmt.Errorf("there is no module of Node for %s", goarch)
	}
	const (
		align  = 0x10000 // the largest page
		hash   = 0x200   // what is only read: the table of symbols and the code
		syms   = 0x240
		strs   = 0x2a0
		rela   = 0x2e0
		code   = 0x300
		end    = 0x340
		dyn    = align + 0x400 // what the loader may write
		slot   = align + 0x500 // address of RAND_poll
		dynEnd = align + 0x508
	)
	f := make([]byte, 0x508)
	put := func(at int, values ...any) {
		var b bytes.Buffer
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // into memory
		}
		copy(f[at&(align-1):], b.Bytes())
	}
	names := "\x00RAND_poll\x00napi_register_module_v1\x00"

	// The file's head: ELF for 64 bits, little-endian; a shared object; three program headers and no sections.
	put(0, []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"), uint16(3), cpu.machine, uint32(1), uint64(0), uint64(0x40), uint64(0),
		uint32(0), uint16(0x40), uint16(0x38), uint16(4), uint16(0x40), uint16(0), uint16(0))
	const (
		load, dynamic, stack = 1, 2, 0x6474e551
		x, w, r              = 1, 2, 4
	)
	header := func(n int, kind, flags uint32, offset, address, size, alignment uint64) {
		put(0x40+0x38*n, kind, flags, offset, address, address, size, size, alignment)
	}
	header(0, load, r|x, 0, 0, end, align)
	header(1, load, r|w, 0x400, dyn, dynEnd-dyn, align)
	header(2, dynamic, r|w, 0x400, dyn, slot-dyn, 8)
	header(3, stack, r|w, 0, 0, 0, 16) // without it the stack would have to be executable

	// One bucket with both symbols: 2, then 1.
	put(hash, uint32(1), uint32(3), uint32(2), uint32(0), uint32(0), uint32(1))
	const global, function = 1 << 4, 2
	put(syms+24, uint32(1), uint8(global|function), uint8(0), uint16(0), uint64(0), uint64(0))
	put(syms+48, uint32(11), uint8(global|function), uint8(0), uint16(1), uint64(code), uint64(len(cpu.code)))
	put(strs, []byte(names))
	put(rela, uint64(slot), uint64(1)<<32|cpu.globDat, uint64(0))
	put(code, cpu.code)
	const dtHash, dtStrtab, dtSymtab, dtRela, dtRelasz, dtRelaent, dtStrsz, dtSyment = 4, 5, 6, 7, 8, 9, 10, 11
	put(dyn, [][2]uint64{{dtHash, hash}, {dtStrtab, strs}, {dtSymtab, syms}, {dtStrsz, uint64(len(names))}, {dtSyment, 24},
		{dtRela, rela}, {dtRelasz, 24}, {dtRelaent, 24}, {0, 0}})
	return f, nil
}

// processors are what differs: the machine's number, the relocation that puts a function's address into a slot, and the code, which calls what
// the slot at 0x10500 holds and returns 0. The code stands at 0x300.
var processors = map[string]struct {
	machine uint16
	globDat uint64
	code    []byte
}{
	"amd64": {62, 6, []byte{
		0xf3, 0x0f, 0x1e, 0xfa, // endbr64
		0x48, 0x83, 0xec, 0x08, // sub $8, %rsp
		0xff, 0x15, 0xf2, 0x01, 0x01, 0x00, // call *0x101f2(%rip): 0x30e + 0x101f2
		0x48, 0x83, 0xc4, 0x08, // add $8, %rsp
		0x31, 0xc0, // xor %eax, %eax
		0xc3, // ret
	}},
	"arm64": {183, 1025, []byte{
		0xfd, 0x7b, 0xbf, 0xa9, // stp x29, x30, [sp, #-16]!
		0xe0, 0x0f, 0x08, 0x10, // adr x0, #0x101fc: 0x304 + 0x101fc
		0x00, 0x00, 0x40, 0xf9, // ldr x0, [x0]
		0x00, 0x00, 0x3f, 0xd6, // blr x0
		0x00, 0x00, 0x80, 0xd2, // mov x0, #0
		0xfd, 0x7b, 0xc1, 0xa8, // ldp x29, x30, [sp], #16
		0xc0, 0x03, 0x5f, 0xd6, // ret
	}},
}
