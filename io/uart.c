/* SPDX-License-Identifier: MIT */
/* io/uart.c - the serial port COM1.
 *
 * A 16550A: 16-byte receive FIFO with trigger levels and character timeout,
 * interrupt identification by priority, modem control with loopback. The other
 * end is a terminal that is always ready (CTS, DSR and DCD on). A transmitted
 * byte takes no time, so the transmitter is always empty and its FIFO never
 * holds anything. Line speed matters only to the character timeout. COM2-4 are
 * absent: nobody claims their ports.
 *
 * Reference: National Semiconductor, "PC16550D Universal Asynchronous
 * Receiver/Transmitter with FIFOs".
 */
#include "io/devices.h"

#include <string.h>

enum {
    COM1_PORT = 0x3F8,
    PORTS = 8,

    /* Offsets. With LCR.DLAB, 0 and 1 are the divisor. */
    REG_DATA = 0,
    REG_IER = 1,
    REG_IIR = 2, /* read; FCR on write */
    REG_LCR = 3,
    REG_MCR = 4,
    REG_LSR = 5,
    REG_MSR = 6,
    REG_SCRATCH = 7,

    IER_RECEIVE = 0x01,
    IER_TRANSMIT = 0x02,
    IER_LINE = 0x04,
    IER_MODEM = 0x08,
    IER_BITS = 0x0F,

    IIR_MODEM = 0x00,
    IIR_NONE = 0x01,
    IIR_TRANSMIT = 0x02,
    IIR_RECEIVE = 0x04,
    IIR_LINE = 0x06,
    IIR_TIMEOUT = 0x0C,
    IIR_FIFO = 0xC0,

    FCR_ENABLE = 0x01,
    FCR_CLEAR_RECEIVE = 0x02,
    FCR_TRIGGER_SHIFT = 6,

    LCR_WORD = 0x03,
    LCR_STOP = 0x04,
    LCR_PARITY = 0x08,
    LCR_DLAB = 0x80,

    MCR_DTR = 0x01,
    MCR_RTS = 0x02,
    MCR_OUT1 = 0x04,
    MCR_OUT2 = 0x08,
    MCR_LOOP = 0x10,
    MCR_BITS = 0x1F,

    LSR_READY = 0x01,
    LSR_OVERRUN = 0x02,
    LSR_TX_EMPTY = 0x60, /* holding and shift register */

    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
    MSR_LEVELS = 0xF0,
    MSR_TERI = 0x04, /* only the falling edge of RI counts */

    FIFO_BYTES = 16,
    TIMEOUT_CHARACTERS = 4,
    BASE_BAUD = 115200,
    BIOS_DIVISOR = 12, /* 9600 baud */
    BIOS_LCR = 0x03,   /* 8N1 */
};

struct uart {
    struct device dev;
    struct irq_line irq;
    void (*output)(void *ctx, uint8_t byte);
    void *ctx;
    struct uart_state {
        uint8_t fifo[FIFO_BYTES];
        uint8_t head, count;
        uint8_t ier, fcr, lcr, mcr, msr, scratch;
        uint16_t divisor;
        bool overrun;
        bool set_up;           /* the guest has a driver for it, */
        bool spoken;           /* which has sent something */
        bool transmit_pending; /* "holding register empty" not yet seen */
        bool timed_out;        /* bytes below the trigger level got old */
    } state;
};

static unsigned capacity(const struct uart_state *s)
{
    return s->fcr & FCR_ENABLE ? FIFO_BYTES : 1;
}

static unsigned trigger_level(const struct uart_state *s)
{
    static const uint8_t levels[] = {1, 4, 8, 14};
    return s->fcr & FCR_ENABLE ? levels[s->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The cause with the highest priority. */
static uint8_t identify(const struct uart_state *s)
{
    if ((s->ier & IER_LINE) && s->overrun)
        return IIR_LINE;
    if ((s->ier & IER_RECEIVE) && s->count >= trigger_level(s))
        return IIR_RECEIVE;
    if ((s->ier & IER_RECEIVE) && s->timed_out)
        return IIR_TIMEOUT;
    if ((s->ier & IER_TRANSMIT) && s->transmit_pending)
        return IIR_TRANSMIT;
    if ((s->ier & IER_MODEM) && (s->msr & (uint8_t)~MSR_LEVELS))
        return IIR_MODEM;
    return IIR_NONE;
}

static void update_irq(struct uart *uart)
{
    /* On a real PC OUT2 gates the line. Guests that never set it were only
     * ever run on machines that do not care; nor does this one. */
    irq_set(&uart->irq, identify(&uart->state) != IIR_NONE);
}

/* Four characters at the line's speed. */
static uint64_t timeout_ns(const struct uart_state *s)
{
    unsigned bits = 1 + 5 + (s->lcr & LCR_WORD) + 1;
    bits += (s->lcr & LCR_STOP ? 1u : 0u) + (s->lcr & LCR_PARITY ? 1u : 0u);
    uint64_t divisor = s->divisor ? s->divisor : 1;
    return TIMEOUT_CHARACTERS * bits * divisor * NS_PER_SECOND / BASE_BAUD;
}

/* The FIFO was touched: the character timeout starts anew. One that has come
 * stays until the processor reads. */
static void restart_timeout(struct uart *uart)
{
    struct uart_state *s = &uart->state;
    bool waits = (s->fcr & FCR_ENABLE) && s->count > 0 && !s->timed_out;
    device_set_deadline(&uart->dev, waits
                                        ? bus_now(uart->dev.bus) + timeout_ns(s)
                                        : DEVICE_NEVER);
}

static void uart_timer(struct device *dev, uint64_t now_ns)
{
    struct uart *uart = (struct uart *)dev;
    (void)now_ns;
    uart->state.timed_out = uart->state.count > 0;
    update_irq(uart);
}

static void clear_receive(struct uart *uart)
{
    uart->state.head = uart->state.count = 0;
    uart->state.timed_out = false;
    restart_timeout(uart);
}

/* A byte too many: a full FIFO stays as it is, a single register is
 * overwritten. */
static void overrun(struct uart_state *s, uint8_t byte)
{
    s->overrun = true;
    if (!(s->fcr & FCR_ENABLE))
        s->fifo[s->head] = byte;
}

static void push(struct uart *uart, uint8_t byte)
{
    struct uart_state *s = &uart->state;
    if (s->count >= capacity(s)) {
        overrun(s, byte);
        return;
    }
    s->fifo[(s->head + s->count) % FIFO_BYTES] = byte;
    s->count++;
    restart_timeout(uart);
}

static uint8_t pop(struct uart *uart)
{
    struct uart_state *s = &uart->state;
    if (s->count == 0)
        return 0;
    uint8_t byte = s->fifo[s->head];
    s->head = (uint8_t)((s->head + 1) % FIFO_BYTES);
    s->count--;
    s->timed_out = false;
    restart_timeout(uart);
    return byte;
}

bool uart_ready(const struct uart *uart)
{
    const struct uart_state *s = &uart->state;
    return !(s->mcr & MCR_LOOP) && s->count < capacity(s);
}

bool uart_speaks(const struct uart *uart)
{
    return uart->state.spoken;
}

bool uart_receive(struct uart *uart, uint8_t byte)
{
    if (!uart_ready(uart))
        return false;
    push(uart, byte);
    update_irq(uart);
    return true;
}

/* The modem lines as the port sees them, with the delta bits of what
 * changed. */
static void update_modem(struct uart_state *s)
{
    uint8_t levels = MSR_CTS | MSR_DSR | MSR_DCD;
    if (s->mcr & MCR_LOOP)
        levels = (uint8_t)((s->mcr & MCR_RTS ? MSR_CTS : 0) |
                           (s->mcr & MCR_DTR ? MSR_DSR : 0) |
                           (s->mcr & MCR_OUT1 ? MSR_RI : 0) |
                           (s->mcr & MCR_OUT2 ? MSR_DCD : 0));
    uint8_t changed = (uint8_t)(((levels ^ s->msr) & MSR_LEVELS) >> 4);
    if (levels & MSR_RI)
        changed &= (uint8_t)~MSR_TERI;
    s->msr = (uint8_t)(levels | changed | (s->msr & ~MSR_LEVELS));
}

static void transmit(struct uart *uart, uint8_t byte)
{
    struct uart_state *s = &uart->state;
    /* Filling the holding register takes its request back; it is empty again
     * at once, which is a new request and a new edge. */
    s->transmit_pending = false;
    update_irq(uart);
    if (!(s->mcr & MCR_LOOP)) {
        s->spoken |= s->set_up;
        if (uart->output)
            uart->output(uart->ctx, byte);
    } else {
        push(uart, byte);
    }
    s->transmit_pending = true;
}

static void write_fcr(struct uart *uart, uint8_t value)
{
    struct uart_state *s = &uart->state;
    bool toggles = (value ^ s->fcr) & FCR_ENABLE;
    if (toggles || (value & FCR_CLEAR_RECEIVE))
        clear_receive(uart);
    s->fcr = value & FCR_ENABLE ? value : 0;
}

static void write_ier(struct uart_state *s, uint8_t value)
{
    /* Enabling the transmit interrupt while the register is empty asks at
     * once: drivers start their output with it. */
    if ((value & ~s->ier) & IER_TRANSMIT)
        s->transmit_pending = true;
    s->ier = value & IER_BITS;
}

static void uart_write(struct device *dev, uint32_t offset, unsigned size,
                       uint32_t value32)
{
    struct uart *uart = (struct uart *)dev;
    struct uart_state *s = &uart->state;
    uint8_t value = (uint8_t)value32;
    (void)size;
    if ((s->lcr & LCR_DLAB) && offset <= REG_IER) {
        unsigned low = offset == REG_DATA ? value : s->divisor & 0xFFu;
        unsigned high = offset == REG_DATA ? s->divisor >> 8 : value;
        s->divisor = (uint16_t)(high << 8 | low);
        return;
    }
    switch (offset) {
    case REG_DATA: transmit(uart, value); break;
    case REG_IER:
        s->set_up = true;
        write_ier(s, value);
        break;
    case REG_IIR: write_fcr(uart, value); break;
    case REG_LCR:
        s->set_up = true;
        s->lcr = value;
        break;
    case REG_MCR:
        s->mcr = value & MCR_BITS;
        update_modem(s);
        break;
    case REG_LSR: /* for factory tests */
    case REG_MSR: break;
    case REG_SCRATCH: s->scratch = value; break;
    }
    update_irq(uart);
}

static uint32_t read_iir(struct uart_state *s)
{
    uint8_t cause = identify(s);
    if (cause == IIR_TRANSMIT)
        s->transmit_pending = false; /* reading it is the answer */
    return cause | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0u);
}

static uint32_t uart_read(struct device *dev, uint32_t offset, unsigned size)
{
    struct uart *uart = (struct uart *)dev;
    struct uart_state *s = &uart->state;
    uint32_t value = 0;
    (void)size;
    if ((s->lcr & LCR_DLAB) && offset <= REG_IER)
        return offset == REG_DATA ? s->divisor & 0xFFu : s->divisor >> 8;
    switch (offset) {
    case REG_DATA: value = pop(uart); break;
    case REG_IER: value = s->ier; break;
    case REG_IIR: value = read_iir(s); break;
    case REG_LCR: value = s->lcr; break;
    case REG_MCR: value = s->mcr; break;
    case REG_LSR:
        value = LSR_TX_EMPTY | (s->count ? LSR_READY : 0u) |
                (s->overrun ? LSR_OVERRUN : 0u);
        s->overrun = false;
        break;
    case REG_MSR:
        value = s->msr;
        s->msr &= MSR_LEVELS;
        break;
    case REG_SCRATCH: value = s->scratch; break;
    }
    update_irq(uart);
    return value;
}

static void uart_reset(struct device *dev)
{
    struct uart *uart = (struct uart *)dev;
    memset(&uart->state, 0, sizeof uart->state);
    uart->state.lcr = BIOS_LCR;
    uart->state.divisor = BIOS_DIVISOR;
    update_modem(&uart->state);
    uart->state.msr &= MSR_LEVELS;
    update_irq(uart);
}

static const struct region_ops com1_ops = {"uart0.com1", 1, uart_read,
                                           uart_write};

static const struct device_ops uart_ops = {
    .name = "uart0",
    .cite = "National Semiconductor, PC16550D UART with FIFOs",
    .reset = uart_reset,
    .timer = uart_timer,
    .state_offset = offsetof(struct uart, state),
    .state_bytes = sizeof(struct uart_state),
};

struct uart *uart_create(struct bus *bus, struct irq_line irq,
                         const struct pc_config *config)
{
    struct uart *uart = device_create(bus, sizeof *uart, &uart_ops);
    if (!uart)
        return NULL;
    uart->irq = irq;
    uart->output = config->serial_output;
    uart->ctx = config->ctx;
    uart_reset(&uart->dev);
    if (!bus_add_ports(bus, &uart->dev, &com1_ops, COM1_PORT, PORTS))
        return NULL;
    return uart;
}
