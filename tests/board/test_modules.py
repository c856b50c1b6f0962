"""The built-in modules."""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from board.desk import Desk
from maixfs.board.boot import DEFAULT_MAIN
from maixfs.board.clocks import EPOCH, date_of, seconds_of
from maixfs.board.modules.plain import URandom, Yasmarang


def lines(desk: Desk, script: str, **options: Any) -> list[str]:
    output = desk.run(script, **options)
    assert output.result.exit_code == 0, output.out
    return output.out.splitlines()


def test_uos_calls_give_results_of_the_firmware(desk: Desk) -> None:
    script = (
        "import os, uos\nprint(os is uos, uos.__name__)\n"
        "print(uos.uname())\nprint(uos.uname()[0], uos.uname().machine)\n"
        "print(uos.urandom(3) == uos.urandom(3), len(uos.urandom(5)), uos.sync())\n"
        "print(uos.stat('/flash'), uos.statvfs('/flash')[:3])\n"
        "uos.rename('main.py', 'old.py'); print([e for e in uos.ilistdir()][1:])\n"
        "uos.remove('old.py'); uos.chdir('/'); print(uos.getcwd(), uos.listdir())\n"
    )
    assert lines(desk, script) == [
        "True uos",
        "(sysname='MaixPy', nodename='MaixPy', release='0.6.3',"
        " version='v0.6.3-2-gd8901fd22 on 2023-11-10', machine='Sipeed_M1 with kendryte-k210')",
        "MaixPy Sipeed_M1 with kendryte-k210",
        "False 5 None",
        "(16384, 0, 0, 0, 0, 0, 0, 0, 0, 0) (131072, 131072, 21)",
        f"[('old.py', 32768, 0, {len(DEFAULT_MAIN)})]",
        "/ ['flash']",
    ]


def test_flash_format_prints_its_steps_and_empties_the_flash(desk: Desk) -> None:
    script = "import uos\nf = open('f', 'w')\nprint(uos.flash_format(), uos.listdir())\n"
    assert lines(desk, script) == [
        "[MAIXPY]:Spiffs Unmount.",
        "[MAIXPY]:Spiffs Formating...",
        "[MAIXPY]:Spiffs Format successful ",
        "[MAIXPY]:Spiffs Mount successful ",
        "True []",
    ]


def test_script_mounts_its_own_driver(desk: Desk) -> None:
    script = (
        "import uos\n"
        "class Ram:\n"
        "  def mount(self, ro, mkfs): print('mount', ro, mkfs)\n"
        "  def umount(self): print('umount')\n"
        "  def ilistdir(self, path): return iter([('x', 0x8000, 0)])\n"
        "uos.mount(Ram(), '/ram', readonly=True)\n"
        "print(uos.listdir('/ram'), uos.listdir('/'))\n"
        "uos.umount('/ram')\n"
    )
    assert lines(desk, script) == ["mount True False", "['x'] ['flash', 'ram']", "umount"]


OWN_FLASH = """
import uos, gc
class Flash:
  fs_size, erase_block, log_block_size, log_page_size = 65536, 4096, 8192, 256
  cells = bytearray(b'\\xff' * 65536)
  def read(self, buffer, size, address): buffer[:] = self.cells[address:address + size]
  def write(self, buffer, size, address):
    for i in range(size): self.cells[address + i] &= buffer[i]
  def erase(self, size, address): self.cells[address:address + size] = b'\\xff' * size
volume = uos.VfsSpiffs(Flash())
uos.VfsSpiffs.mkfs(volume)
uos.mount(volume, '/own', mkfs=True)
uos.VfsSpiffs.mine = 1
for i in range(3):
  f = open('/own/f%d' % i, 'w')
  f.write('x' * i)
  f = None
  gc.collect()
print(list(uos.ilistdir('/own')))
"""


def test_script_uses_spiffs_on_its_own_flash(desk: Desk) -> None:
    output = desk.run(OWN_FLASH, explain=True)
    assert output.out.splitlines() == [
        "[MAIXPY]:Spiffs Mount failed ",
        "[MAIXPY]:Spiffs Unmount.",
        "[MAIXPY]:Spiffs Formating...",
        "[MAIXPY]:Spiffs Format successful ",
        "[MAIXPY]:Spiffs Mount successful ",
        "[('f0', 32768, 0, 0), ('f1', 32768, 0, 1), ('f2', 32768, 0, 2)]",
    ]
    assert "quirk: mount() does not format" in output.err
    assert lines(desk, "import uos\nprint(hasattr(uos.VfsSpiffs, 'mine'))") == ["False"]


def test_machine_has_reset_cause_and_unique_id(desk: Desk) -> None:
    script = (
        "import machine\nprint(len(machine.unique_id()), machine.unique_id())\n"
        "print(machine.reset_cause() == machine.PWRON_RESET, hasattr(machine, 'freq'))\n"
    )
    first = lines(desk, script)
    assert first == lines(desk, script)  # the chip's number stays
    assert first[0].startswith("32 ")
    assert first[1] == "True False"


def test_utime_follows_the_clock(desk: Desk) -> None:
    script = (
        "import time, utime\nprint(time is utime)\n"
        "a = utime.ticks_ms(), utime.ticks_us(), utime.ticks_cpu(), utime.ticks()\n"
        "utime.sleep(1.5); utime.sleep_ms(250); utime.sleep_us(250000); utime.sleep_ms(-5)\n"
        "b = utime.ticks_ms(), utime.ticks_us(), utime.ticks_cpu(), utime.ticks()\n"
        "print([utime.ticks_diff(y, x) for x, y in zip(a, b)])\n"
        "print(utime.ticks_diff(3, utime.ticks_add(3, -10)), utime.time(), utime.localtime())\n"
        "print(utime.set_time((2024, 2, 29, 12, 0, 0)), utime.localtime(utime.time()))\n"
        "print(utime.mktime((2024, 2, 29, 12, 0, 0, 0, 0)) == utime.time())\n"
        "c = utime.clock(); c.tick(); utime.sleep_ms(50); print(c.fps(), c.avg())\n"
    )
    assert lines(desk, script) == [
        "True",
        "[2000, 2000000, 800000000, 2000]",
        "10 2 (2000, 1, 1, 0, 0, 2, 6, 1)",
        "True (2024, 2, 29, 12, 0, 0, 3, 60)",
        "True",
        "20.0 50.0",
    ]


@pytest.mark.parametrize("call", ["mktime((1, 2))", "localtime(10**15)", "mktime((10**9,) * 8)"])
def test_utime_refuses_wrong_arguments(desk: Desk, call: str) -> None:
    output = desk.run(f"import utime\nutime.{call}")
    assert output.out.splitlines()[-1].startswith(("TypeError: ", "OverflowError: "))


@given(st.integers(-(10**9), 10**10))
def test_date_of_is_the_inverse_of_seconds_of(seconds: int) -> None:
    date = date_of(seconds)
    moment = EPOCH + timedelta(seconds=seconds)
    assert datetime(*date[:6]) == moment
    assert (date[6], date[7]) == (moment.weekday(), moment.timetuple().tm_yday)
    assert seconds_of(date) == seconds


@given(st.integers(1970, 2100), st.integers(-30, 40), st.integers(-400, 400))
def test_mktime_accepts_fields_out_of_range(year: int, month: int, day: int) -> None:
    whole, rest = divmod(month - 1, 12)
    first = datetime(year + whole, rest + 1, 1)
    expected = first + timedelta(days=day - 1)
    assert seconds_of((year, month, day, 0, 0, 0)) == (expected - EPOCH).total_seconds()


def test_maix_utils_reads_flash_and_heap_size(desk: Desk) -> None:
    script = (
        "from Maix import utils\n"
        "print(utils.flash_read(0x100000, 4) == b'\\xff' * 4, utils.heap_free() > 0)\n"
        "print(utils.flash_read(0x400000 - 2, 4) == b'\\xff' * 4)\n"  # around the end
        "print(utils.gc_heap_size(), utils.gc_heap_size(0x40000), utils.gc_heap_size())\n"
        "print(hasattr(utils, 'flash_write'))\n"
        "try:\n  utils.flash_read(0, 1 << 30)\nexcept MemoryError as e:\n  print(e)\n"
    )
    assert lines(desk, script) == [
        "False True",
        "False" if desk_ends_in_data(desk) else "True",
        "524288 None 262144",
        "False",
        "memory allocation failed, allocating 1073741824 bytes",
    ]
    assert lines(desk, "import gc\nprint(gc.mem_free())") == ["262144"]


def desk_ends_in_data(desk: Desk) -> bool:
    image = (desk.folder / "flash.bin").read_bytes()
    return image[-2:] + image[:2] != b"\xff" * 4


def test_maix_freq_set_writes_freq_conf_and_restarts(desk: Desk) -> None:
    script = (
        "from Maix import freq\nprint(freq.get(), freq.get_cpu(), freq.get_kpu())\n"
        "freq.set(cpu=500, kpu_div=2)\n"
    )
    output = desk.run(script)
    assert output.out == (
        "(400, 400) 400 400\n\r\nreboot now\r\n(500, 200) 500 200\nNo change\r\n"
    )
    assert output.result.resets == 1
    assert desk.get("freq.conf")[:9] == bytes.fromhex("0065cd1d0084d71702")


@pytest.mark.parametrize(
    ("call", "words"),
    [("set(cpu=700)", "Unsupported CPU"), ("set(pll1=10)", "Unsupported KPU")],
)
def test_maix_freq_set_out_of_range_is_oserror(desk: Desk, call: str, words: str) -> None:
    output = desk.run(f"from Maix import freq\nfreq.{call}")
    assert output.out.endswith(f"OSError: {words} frequency!\n")
    assert output.result.resets == 0


def test_sys_has_the_members_of_the_firmware(desk: Desk) -> None:
    script = (
        "import sys\nprint(sys.platform, sys.version, sys.version_info, sys.implementation)\n"
        "print(sys.implementation.name, sys.byteorder, sys.maxsize == 2**63 - 1, sys.argv)\n"
        "try:\n  1/0\nexcept Exception as e:\n  sys.print_exception(e)\n"
        "import uio\ns = uio.StringIO()\nsys.print_exception(ValueError('x'), s)\n"
        "print(s.getvalue().strip(), sys.modules)\n"
    )
    assert lines(desk, script) == [
        "MaixPy 3.4.0 (3, 4, 0) (name='micropython', version=(0, 6, 3))",
        "micropython little True []",
        "Traceback (most recent call last):",
        '  File "main.py", line 5, in <module>',
        "ZeroDivisionError: divide by zero",
        "ValueError: x {}",
    ]


def test_byte_and_number_modules_give_results_of_the_board(desk: Desk) -> None:
    script = (
        "import binascii, struct, hashlib, zlib, array, math, cmath, re, heapq, errno\n"
        "print(binascii.hexlify(b'ab'), binascii.unhexlify('6162'), binascii.crc32(b'ab'))\n"
        "print(struct.pack('<HB', 1, 2), struct.unpack('<H', b'\\x01\\x00rest'))\n"
        "print(struct.calcsize('l'), struct.calcsize('<l'))\n"
        "h = hashlib.sha256(b'a'); h.update(b'b')\n"
        "print(h.digest()[:3], hasattr(h, 'hexdigest'))\n"
        f"print(zlib.decompress({zlib.compress(b'ab')}), math.floor(1.5))\n"
        "print(array.array('H', [1, 2]), re.match('a(b)', 'abc').group(1), errno.ENOENT)\n"
        "print(errno.errorcode[5], hasattr(math, 'gcd'), cmath.sqrt(-1))\n"
        "q = [3, 1]; heapq.heapify(q); heapq.heappush(q, 2); print(heapq.heappop(q), q)\n"
    )
    assert lines(desk, script) == [
        "b'6162' b'ab' 2659403885",
        "b'\\x01\\x00\\x02' (1,)",
        "8 4",
        "b'\\xfb\\x8e ' False",
        "b'ab' 1",
        "array('H', [1, 2]) b 2",
        "EIO False 1j",
        "1 [2, 3]",
    ]


@pytest.mark.parametrize(
    ("call", "packed"),
    [
        ("'<I', -1", b"\xff\xff\xff\xff"),
        ("'<B', 300", b","),
        ("'b', 200", b"\xc8"),
        ("'>H', 70000", b"\x11p"),
        ("'<Q', 1 << 64", bytes(8)),
        ("'2B', 1", b"\x01\x00"),
        ("'B', 1, 2", b"\x01"),
        ("'BI', 1, True", b"\x01\x00\x00\x00\x01\x00\x00\x00"),
        ("'5s', 'abc'", b"abc\x00\x00"),
        ("b'2s2s', b'abcdef'", b"ab\x00\x00"),
        ("'<l', 1", b"\x01\x00\x00\x00"),
        ("'l', 1", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
        ("'<f', 1e39", b"\x00\x00\x80\x7f"),
        ("'<fd', 3, 0.5", b"\x00\x00@@\x00\x00\x00\x00\x00\x00\xe0?"),
        ("'P', 1", b"\x01\x00\x00\x00\x00\x00\x00\x00"),
        ("''", b""),
    ],
)
def test_pack_cuts_numbers_to_the_field(desk: Desk, call: str, packed: bytes) -> None:
    assert lines(desk, f"import ustruct\nprint(ustruct.pack({call}))") == [repr(packed)]


def test_pack_into_and_unpack_from_use_offsets(desk: Desk) -> None:
    script = (
        "import ustruct\nb = bytearray(6)\nustruct.pack_into('<H', b, 1, 515)\n"
        "ustruct.pack_into('>H', b, -2, 1)\nprint(b)\n"
        "print(ustruct.unpack('<H', 'ab'), ustruct.unpack_from('>H', b, -2))\n"
        "print(ustruct.unpack('<bBq2s', b'\\xff\\xff' + bytes(8) + b'zz'))\n"
    )
    assert lines(desk, script) == [
        r"bytearray(b'\x00\x03\x02\x00\x00\x01')",
        "(25185,) (1,)",
        "(-1, 255, 0, b'zz')",
    ]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("import struct\nstruct.unpack('<I', b'ab')", "ValueError: buffer too small"),
        ("import struct\nstruct.pack_into('<I', bytearray(2), 0, 1)", "ValueError: buffer"),
        ("import struct\nstruct.calcsize('y')", "ValueError: bad typecode"),
        ("import struct\nstruct.calcsize('=I')", "ValueError: bad typecode"),
        ("import struct\nstruct.pack('x')", "ValueError: bad typecode"),
        ("import struct\nstruct.pack('<I', 'x')", "TypeError: can't convert str to int"),
        ("import struct\nstruct.pack('<I', 1.5)", "TypeError: can't convert float to int"),
        ("import struct\nstruct.pack('<f', 'x')", "TypeError: can't convert str to float"),
        ("import struct\nstruct.unpack_from('<H', b'abc', 2)", "ValueError: buffer too small"),
        ("import struct\nstruct.unpack_from('<H', b'abc', -4)", "ValueError: buffer too small"),
        ("import zlib\nzlib.decompress(b'no')", "ValueError: -3"),
        ("import binascii\nbinascii.unhexlify('x')", "ValueError: odd-length string"),
        ("import binascii\nbinascii.unhexlify('xx')", "ValueError: non-hex digit found"),
        ("import binascii\nbinascii.a2b_base64('a')", "ValueError: incorrect padding"),
        ("import binascii\nbinascii.hexlify(5)", "TypeError: object with buffer protocol"),
        ("import hashlib\nhashlib.sha256(5)", "TypeError: object with buffer protocol"),
        ("import heapq\nheapq.heappop([])", "IndexError: empty heap"),
        ("import utime\nutime.sleep_ms(1.5)", "TypeError: can't convert float to int"),
        ("import utime\nutime.sleep('a')", "TypeError: can't convert str to float"),
        ("import utime\nutime.ticks_diff(1.5, 1)", "TypeError: can't convert float to int"),
        ("import urandom\nurandom.seed('a')", "TypeError: can't convert str to int"),
        ("import uos\nuos.urandom(1 << 60)", "MemoryError: memory allocation failed, allocating"),
        ("import uos\nuos.urandom(-1)", "MemoryError: memory allocation failed, allocating"),
        ("import uos\nuos.urandom('a')", "TypeError: can't convert str to int"),
        ("import urandom\nurandom.getrandbits(33)", "ValueError: "),
        ("import urandom\nurandom.randrange(0)", "ValueError: "),
        ("import urandom\nurandom.choice([])", "IndexError: "),
    ],
)
def test_module_errors_have_the_classes_of_the_board(desk: Desk, call: str, words: str) -> None:
    assert desk.run(call).out.splitlines()[-1].startswith(words)


def test_deque_drops_or_refuses_when_full(desk: Desk) -> None:
    script = (
        "from collections import deque\n"
        "d = deque((), 2, 1); d.append(1); d.append(2); print(d.popleft(), len(d), bool(d))\n"
        "d.append(3)\ntry:\n  d.append(4)\nexcept IndexError as e:\n  print(e)\n"
        "d = deque((), 2); d.append(1); d.append(2); d.append(3); print(d.popleft(), type(d))\n"
        "for call in 'deque([1], 2)', 'deque((), -1)', 'deque((), 1)[0]', 'deque((), 1).pop()':\n"
        "  try:\n    eval(call)\n  except Exception as e:\n    print(repr(e))\n"
    )
    assert lines(desk, script) == [
        "1 1 True",
        "full",
        "2 <class 'deque'>",
        "ValueError()",
        "ValueError()",
        "TypeError(\"'deque' object isn't subscriptable\",)",
        "AttributeError(\"'deque' object has no attribute 'pop'\",)",
    ]


def test_namedtuple_prints_and_compares_as_on_the_board(desk: Desk) -> None:
    script = (
        "from collections import namedtuple\n"
        "P = namedtuple('P', ('x', 'y')); p = P(1, y=2)\n"
        "print(p, p.x, p[1], p == (1, 2), P, namedtuple('Q', 'a b')(b=1, a=2))\n"
        "calls = 'P(1)', 'P(1, 2, 3)', 'P(1, z=3)', 'P(1, x=3)', 'p.z', 'setattr(p, \"x\", 1)'\n"
        "for call in calls:\n"
        "  try:\n    eval(call)\n  except Exception as e:\n    print(e)\n"
    )
    assert lines(desk, script) == [
        "P(x=1, y=2) 1 2 True <class 'P'> Q(a=2, b=1)",
        "P() takes 2 positional arguments but 1 were given",
        "P() takes 2 positional arguments but 3 were given",
        "unexpected keyword argument 'z'",
        "function got multiple values for argument 'x'",
        "'P' object has no attribute 'z'",
        "can't set attribute",
    ]


def test_ordered_dictionary_pops_the_oldest(desk: Desk) -> None:
    script = (
        "from collections import OrderedDict\nd = OrderedDict([(2, 1), ('a', 2)])\n"
        "d[2] = 3\nprint(d, list(d), OrderedDict(), d.popitem(), len(d))\n"
    )
    assert lines(desk, script) == ["OrderedDict({'a': 2}) [2, 'a'] OrderedDict({}) (2, 3) 1"]


def test_text_is_accepted_as_a_buffer(desk: Desk) -> None:
    script = (
        "import binascii as b\nprint(b.hexlify('ab'), b.b2a_base64('hi'), b.crc32('abc'))\n"
        "print(b.hexlify(bytearray(b'ab'), ':'), b.a2b_base64('aGk='), b.crc32(b'abc', 1))\n"
    )
    assert lines(desk, script) == [
        "b'6162' b'aGk=\\n' 891568578",
        "b'61:62' b'hi' 887499765",
    ]


def test_gc_and_micropython_return_their_settings(desk: Desk) -> None:
    script = (
        "import gc, micropython\nfrom micropython import const\nA = const(3)\n"
        "gc.disable(); print(gc.isenabled(), gc.threshold(), A)\ngc.enable(); gc.threshold(9)\n"
        "print(gc.isenabled(), gc.threshold(), gc.collect(), micropython.opt_level())\n"
        "micropython.mem_info()\n"
        "micropython.alloc_emergency_exception_buf(100)\n"
    )
    assert lines(desk, script)[:3] == [
        "False -1 3",
        "True 9 None 0",
        "stack: 0 out of 32768",
    ]


def test_const_needs_no_import(desk: Desk) -> None:
    assert lines(desk, "X = const(5)\nprint(X)") == ["5"]


def test_help_lists_the_attributes_of_an_object(desk: Desk) -> None:
    output = lines(desk, "help()\nimport uerrno, uos\nhelp(uerrno)\nhelp(uos)")
    assert output[0].startswith("A virtual MaixPy board")
    assert "  ENOENT -- 2" in output
    assert "  listdir -- <function>" in output
    assert "  VfsSpiffs -- <class 'VfsSpiffs'>" in output


def test_help_lists_the_modules_in_columns(desk: Desk) -> None:
    output = lines(desk, "help('modules')")
    assert output[-1] == "Plus any modules on the filesystem"
    names = " ".join(output[:-1]).split()
    assert {"Maix", "uos", "os", "ujson", "time"} < set(names)
    assert len(names) == len(set(names)) <= 4 * (len(output) - 1)
    first = [row.split()[0] for row in output[:-1]]
    assert first == sorted(names)[: len(first)]
    assert output[0].index(output[0].split()[1]) == 18


def test_random_numbers_equal_those_of_the_board() -> None:
    source = Yasmarang()  # what MicroPython 1.11 gives after a reset
    assert [source.next() for _ in range(3)] == [3210414086, 1932810334, 3154934685]
    source = Yasmarang(1)
    assert [source.next() & 0xFFFF for _ in range(5)] == [36164, 57842, 10334, 54364, 671]


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(-9, 9).filter(bool))
def test_random_numbers_stay_in_their_range(start: int, stop: int, step: int) -> None:
    numbers = range(start, stop, step)
    if numbers:
        assert URandom().randrange(start, stop, step) in numbers
    else:
        with pytest.raises(ValueError, match=r"^$"):
            URandom().randrange(start, stop, step)


def test_urandom_raises_the_errors_of_the_board(desk: Desk) -> None:
    script = (
        "import random\nrandom.seed(7); a = random.random(), random.uniform(1, 2)\n"
        "random.seed(7); print(a == (random.random(), random.uniform(1, 2)), 0 <= a[0] < 1)\n"
        "print(random.randint(3, 3), random.choice('z'), 0 <= random.getrandbits(8) < 256)\n"
    )
    assert lines(desk, script) == ["True True", "3 z True"]
