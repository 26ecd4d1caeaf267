#include "proxy/http/refusal.h"

namespace heddle::http {

int status_of(Refusal refusal) {
  switch (refusal) {
#define X(name, status, text) \
  case Refusal::name:         \
    return status;
    HEDDLE_HTTP_REFUSALS(X)
#undef X
  }
  return 400;
}

std::string_view name_of(Refusal refusal) {
  switch (refusal) {
#define X(name, status, text) \
  case Refusal::name:         \
    return #name;
    HEDDLE_HTTP_REFUSALS(X)
#undef X
  }
  return "unknown";
}

std::string_view text_of(Refusal refusal) {
  switch (refusal) {
#define X(name, status, text) \
  case Refusal::name:         \
    return text;
    HEDDLE_HTTP_REFUSALS(X)
#undef X
  }
  return "malformed";
}

}  // namespace heddle::http
