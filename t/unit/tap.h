/*
 * tap.h
 *		What all unit tests share: TAP, and numbers that are drawn alike on every run.
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

static int	tap_tests;
static int	tap_failures;

__attribute__((unused, format(printf, 2, 3))) static bool
ok(bool passed, const char *format,...)
{
	va_list		arguments;

	printf("%sok %d - ", passed ? "" : "not ", ++tap_tests);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	tap_failures += !passed;
	return passed;
}

/* For main() to return. */
static int
done(void)
{
	printf("1..%d\n", tap_tests);
	return tap_failures > 0;
}

/* From 0 to n - 1 (xorshift; Marsaglia, "Xorshift RNGs", 2003). */
__attribute__((unused)) static uint32_t
roll(uint32_t n)
{
	static uint64_t seed = 88172645463325252u;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t) (seed >> 32) % n;
}

#endif							/* TAP_H */
