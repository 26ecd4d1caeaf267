#pragma once

namespace heddle {

// Prints the place and the broken claim on standard error, then aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* claim);

}  // namespace heddle

// A bug in our own code, checked in release too. Never for anything that came from outside.
#define CHECK(claim) \
  (__builtin_expect(!!(claim), 1) ? (void)0 : ::heddle::check_failed(__FILE__, __LINE__, #claim))
