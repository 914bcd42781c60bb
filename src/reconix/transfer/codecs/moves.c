/* References of programs, moved, and bytes added: what references.py and patch.py do, compiled.

   Freestanding: no library is called, no memory is asked for, nothing is kept between two calls.
   Each function reads `size` bytes at `old` and writes only within as many at `out`, which hold
   the same when it is called. Sums are made in 128 bits, because in Python they have no end.
   `old` is any bytes; whatever it holds, no index leaves what was given.

   Built by tools/build_moves.py; held against Python by tests/unit/transfer/codecs/test_compiled.py.
*/

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int i32;
typedef long i64;
typedef __int128 wide;

#define PUBLIC __attribute__((visibility("default")))
#define RELOCATION 24
#define SYMBOL 24
#define RECORD 12
#define FIRST_TYPE ((i64)1 << 56)

enum kind { X86 = 1, A64, PLACES, FRAME_TABLE, FRAMES, ADDRESSES, TYPES };

/* How far addresses move: from starts[i] on by[i + 1], before the first by[0]. */
typedef struct {
    const i64 *starts, *by;
    u64 count, last;
} shifts;

/* A block of a section, and whether references are spelled out: what they mean, not how. */
typedef struct {
    const u8 *old;
    u8 *out;
    u64 size;
    wide base;
    int spelled;
    shifts targets, places;
} block;

static u32 get4(const u8 *at)
{
    return at[0] | at[1] << 8 | at[2] << 16 | (u32)at[3] << 24;
}

static u64 get8(const u8 *at)
{
    return get4(at) | (u64)get4(at + 4) << 32;
}

static void put4(u8 *at, u32 word)
{
    at[0] = word, at[1] = word >> 8, at[2] = word >> 16, at[3] = word >> 24;
}

static void put8(u8 *at, u64 word)
{
    put4(at, word), put4(at + 4, word >> 32);
}

/* Most addresses are near the one before. */
static i64 shift_of(shifts *in, wide address)
{
    u64 low = 0, high = in->count, last = in->last;

    if (last && in->starts[last - 1] > address)
        high = last - 1;
    else if (last < in->count && in->starts[last] <= address)
        low = last + 1;
    else
        return in->by[last];
    while (low < high) {
        u64 middle = low + (high - low) / 2;
        if (in->starts[middle] <= address)
            low = middle + 1;
        else
            high = middle;
    }
    in->last = low;
    return in->by[low];
}

static void relative(block *in, u64 at, wide place)
{
    u32 value = get4(in->old + at);
    wide target = place + (i32)value;
    u32 by = shift_of(&in->targets, target);

    put4(in->out + at, in->spelled ? (u32)target + by : value + by - (u32)shift_of(&in->places, place));
}

static int may_refer(const u8 *code, u64 at)
{
    u8 opcode = code[at], top = code[at + 4];

    if (top > 3 && top < 0xfc)
        return 0;
    if (opcode >= 0x80 && opcode <= 0x8f)
        return !at || code[at - 1] == 0x0f;
    return opcode == 0xe8 || opcode == 0xe9 || (opcode & 0xc7) == 0x05;
}

static void x86(block *in)
{
    u64 at = 0;

    while (at + 5 <= in->size) {
        if (!may_refer(in->old, at)) {
            at++;
            continue;
        }
        relative(in, at + 1, in->base + at + 5);
        at += 5;
    }
}

/* Where target and place of an instruction will be; from nowhere, if it is spelled out. */
static void a64_word(block *in, u64 at, wide target, u32 (*spell)(u32, wide, wide))
{
    wide place = in->base + at;

    target += shift_of(&in->targets, target);
    place = in->spelled ? 0 : place + shift_of(&in->places, place);
    put4(in->out + at, spell(get4(in->old + at), target, place));
}

static u32 branch(u32 word, wide target, wide place)
{
    return (word & 0xfc000000) | ((u32)((target - place) >> 2) & 0x3ffffff);
}

static u32 page(u32 word, wide target, wide place)
{
    u32 pages = (target >> 12) - (place >> 12);

    return (word & 0x9f00001f) | (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5;
}

static u32 unit_bits(u32 word)
{
    if ((word & 0xffc00000) == 0x91000000)
        return 0;
    return word >> 30 ? word >> 30 : (word & 0x04800000) == 0x04800000 ? 4 : 0;
}

static u32 low(u32 word, wide target, wide place)
{
    (void)place;
    return (word & 0xffc003ff) | ((u32)target & 0xfff) >> unit_bits(word) << 10;
}

static int adds(u32 word)
{
    return (word & 0xffc00000) == 0x91000000 || (word & 0x3b000000) == 0x39000000;
}

/* An `adrp` and the first of its eight followers that adds to its register. */
static void pair(block *in, u64 at)
{
    u32 word = get4(in->old + at);
    u32 pages = (word >> 5 & 0x7ffff) << 2 | (word >> 29 & 3);
    wide begin = (((in->base + at) >> 12) + (i64)pages - (i64)(pages >> 20 << 21)) << 12;

    for (u64 near = at + 4; near <= at + 32 && near + 4 <= in->size; near += 4) {
        u32 other = get4(in->old + near);
        if (!adds(other) || (other >> 5 & 31) != (word & 31))
            continue;
        u32 rest = (other >> 10 & 0xfff) << unit_bits(other);
        if (rest > 0xfff)
            return;
        a64_word(in, at, begin + rest, page);
        a64_word(in, near, begin + rest, low);
        return;
    }
}

static void a64(block *in)
{
    for (u64 at = 0; at + 4 <= in->size; at += 4) {
        u32 word = get4(in->old + at);
        if ((word & 0x7c000000) == 0x14000000) {
            u32 words = word & 0x3ffffff;
            wide distance = (i64)words - (i64)(words >> 25 << 26);
            a64_word(in, at, in->base + at + 4 * distance, branch);
        } else if ((word & 0x9f000000) == 0x90000000) {
            pair(in, at);
        }
    }
}

static void table(block *in, wide place, u64 step)
{
    u64 count = in->size / 4;

    for (u64 index = 0; index < count; index++, place += step)
        relative(in, 4 * index, place);
}

static void frames(block *in)
{
    u64 at = 0;

    while (at + 12 <= in->size) {
        u32 size = get4(in->old + at), kind = get4(in->old + at + 4);
        if (size < 4 || size >= 0xfffffff0)
            break;
        if (kind)
            relative(in, at + 8, in->base + at + 8);
        at += 4 + (u64)size;
    }
}

/* A word of eight bytes that says where something is. */
static void absolute(block *in, u64 at, wide target)
{
    put8(in->out + at, get8(in->old + at) + (u64)shift_of(&in->targets, target));
}

static void addresses(block *in, i64 lowest, i64 highest)
{
    for (u64 at = 0; at + 8 <= in->size; at += 8) {
        i64 word = get8(in->old + at);
        if (word >= lowest && word <= highest)
            absolute(in, at, word);
    }
}

/* What is in a record of types, by its kind: of each item how many words, and as bits which are
   names and which are types; whether it has as many items as it says, or one; whether it refers. */
static const struct {
    u8 words, names, types, many, refers;
} layouts[] = {
    {0}, {1, 0, 0, 0, 0}, {0, 0, 0, 0, 1}, {3, 0, 3, 0, 0}, {3, 1, 2, 1, 0}, {3, 1, 2, 1, 0}, {2, 1, 0, 1, 0},
    {0}, {0, 0, 0, 0, 1}, {0, 0, 0, 0, 1}, {0, 0, 0, 0, 1}, {0, 0, 0, 0, 1}, {0, 0, 0, 0, 1}, {2, 1, 2, 1, 1},
    {1, 0, 0, 0, 1}, {3, 0, 1, 1, 0}, {0}, {1, 0, 0, 0, 1}, {0, 0, 0, 0, 1}, {3, 1, 0, 1, 0},
};

static u32 record_kind(const u8 *record)
{
    return get4(record + 4) >> 24 & 31;
}

/* The size of a record of types; 0 if there is none, or not all of it is within `left` bytes. */
static u64 record_bytes(const u8 *record, u64 left)
{
    if (left < RECORD)
        return 0;
    u32 kind = record_kind(record);
    if (!kind || kind >= sizeof layouts / sizeof *layouts)
        return 0;
    u64 items = layouts[kind].many ? get4(record + 4) & 0xffff : 1;
    u64 size = RECORD + 4 * items * layouts[kind].words;
    return size <= left ? size : 0;
}

/* A type: its number, at an address where nothing else is. */
static void type(block *in, shifts *numbers, u64 at)
{
    u32 number = get4(in->old + at);

    put4(in->out + at, number + (u32)shift_of(numbers, FIRST_TYPE + (wide)(i32)number));
}

/* The words of items in a record: names count from where their texts begin. */
static void items(block *in, shifts *numbers, u64 at, u64 end, u32 kind)
{
    while (at < end)
        for (u32 word = 0; word < layouts[kind].words; word++, at += 4) {
            if (layouts[kind].names >> word & 1)
                relative(in, at, in->base);
            else if (layouts[kind].types >> word & 1)
                type(in, numbers, at);
        }
}

static void types(block *in)
{
    shifts numbers = in->targets;
    u64 size;

    for (u64 at = 0; (size = record_bytes(in->old + at, in->size - at)); at += size) {
        u32 kind = record_kind(in->old + at);
        relative(in, at, in->base);
        if (layouts[kind].refers)
            type(in, &numbers, at + 8);
        items(in, &numbers, at + RECORD, at + size, kind);
    }
}

/* How many bytes the whole records at the begin have. */
PUBLIC void whole_records(const u8 *old, u64 size, u64 *whole)
{
    u64 at = 0, next;

    while ((next = record_bytes(old + at, size - at)))
        at += next;
    *whole = at;
}

/* A kind that has no references stays as it is. */
PUBLIC void move_block(int kind, int spelled, const u8 *old, u8 *out, u64 size, i64 section, u64 begin,
                      i64 lowest, i64 highest, const i64 *starts, const i64 *by, u64 steps)
{
    shifts all = {starts, by, steps, 0};
    block in = {old, out, size, (wide)section + begin, spelled, all, all};

    switch (kind) {
    case X86:
        x86(&in);
        break;
    case A64:
        a64(&in);
        break;
    case PLACES:
        table(&in, in.base, 4);
        break;
    case FRAME_TABLE:
        table(&in, section, 0);
        break;
    case FRAMES:
        frames(&in);
        break;
    case ADDRESSES:
        addresses(&in, lowest, highest);
        break;
    case TYPES:
        in.base = section;
        types(&in);
        break;
    }
}

/* Adds bytes, each modulo 256: eight at once, their highest bits apart, as in patch.py. */
PUBLIC void add_bytes(const u8 *old, const u8 *difference, u8 *out, u64 size)
{
    const u64 low = 0x7f7f7f7f7f7f7f7f;
    u64 at = 0;

    for (; at + 8 <= size; at += 8) {
        u64 left = get8(old + at), right = get8(difference + at);
        put8(out + at, ((left & low) + (right & low)) ^ ((left ^ right) & ~low));
    }
    for (; at < size; at++)
        out[at] = old[at] + difference[at];
}

static i64 floor_divided(i64 number, i64 by)
{
    return number / by - (number % by < 0);
}

/* Of a table of relocations: where, of which symbol, and what is added.

   `target`, `symbols`: where offsets and numbers of symbols count from, looked at if `has_target`,
   `has_symbols`. `spaces`: where what a symbol stands for begins, -1 if nowhere; none: at 0. */
PUBLIC void move_relocations(const u8 *old, u8 *out, u64 size, int has_target, i64 target,
                            int has_symbols, i64 symbols, const i64 *spaces, u64 known,
                            const i64 *starts, const i64 *by, u64 steps)
{
    shifts all = {starts, by, steps, 0};
    block in = {old, out, size, 0, 0, all, all};
    shifts of_symbols = all, of_addends = all;

    for (u64 at = 0; at + RELOCATION <= size; at += RELOCATION) {
        u32 kind = get4(old + at + 8), symbol = get4(old + at + 12);
        wide addend = (i64)get8(old + at + 16);
        i64 space = !known ? 0 : symbol < known ? spaces[symbol] : -1;
        if (has_target)
            absolute(&in, at, (wide)target + (i64)get8(old + at));
        if (has_symbols) {
            i64 distance = shift_of(&of_symbols, (wide)symbols + (wide)SYMBOL * symbol);
            put4(out + at + 12, symbol + (u32)floor_divided(distance, SYMBOL));
        }
        if (space >= 0) {
            wide meant = space + addend + (kind == 2 || kind == 4 ? 4 : 0);
            put8(out + at + 16, (u64)addend + (u64)shift_of(&of_addends, meant));
        }
    }
}

/* Of a table of symbols: where each is in its section. `bases`: where sections begin, or -1. */
PUBLIC void move_symbols(const u8 *old, u8 *out, u64 size, const i64 *bases, u64 known,
                        const i64 *starts, const i64 *by, u64 steps)
{
    shifts all = {starts, by, steps, 0};
    block in = {old, out, size, 0, 0, all, all};

    for (u64 at = 0; at + SYMBOL <= size; at += SYMBOL) {
        u32 section = old[at + 6] | old[at + 7] << 8;
        if (section >= known || bases[section] < 0)
            continue;
        absolute(&in, at + 8, (wide)bases[section] + (i64)get8(old + at + 8));
    }
}
