#include "dataplane/nft/forward_policy.h"

#include <nftables/libnftables.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>

namespace heddle::nft {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  const json::string* text = found ? found->if_string() : nullptr;
  return text ? std::string(*text) : std::string();
}

}  // namespace

Result<std::vector<std::string>> parse_forward_drops(std::string_view text,
                                                     std::string_view our_table) {
  boost::system::error_code error;
  const json::value listing = json::parse(text, error);
  const json::object* whole = error ? nullptr : listing.if_object();
  const json::value* items = whole ? whole->if_contains("nftables") : nullptr;
  if (!items || !items->is_array())
    return fail(Errc::internal, "nftables listed its chains in an unknown form");
  std::vector<std::string> found;
  for (const json::value& item : items->get_array()) {
    const json::object* wrapped = item.if_object();
    const json::value* chain = wrapped ? wrapped->if_contains("chain") : nullptr;
    const json::object* fields = chain ? chain->if_object() : nullptr;
    if (!fields || text_of(*fields, "hook") != "forward" || text_of(*fields, "policy") != "drop")
      continue;
    const std::string family = text_of(*fields, "family");
    const std::string table = text_of(*fields, "table");
    if (family == "bridge" || (family == "inet" && table == our_table)) continue;
    found.push_back(family + " " + table + " " + text_of(*fields, "name"));
  }
  std::ranges::sort(found);
  return found;
}

Result<std::vector<std::string>> forward_drops(std::string_view our_table) {
  const std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)> context(nft_ctx_new(NFT_CTX_DEFAULT),
                                                                  &nft_ctx_free);
  if (!context) return fail(Errc::exhausted, "no memory for nftables");
  nft_ctx_buffer_output(context.get());
  nft_ctx_buffer_error(context.get());
  nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_JSON);
  if (nft_run_cmd_from_buffer(context.get(), "list chains") != 0) {
    const std::string words = nft_ctx_get_error_buffer(context.get());
    return fail(words.contains("Operation not permitted") ? Errc::denied : Errc::unavailable,
                "list the chains of nftables: " + words.substr(0, words.find('\n')));
  }
  return parse_forward_drops(nft_ctx_get_output_buffer(context.get()), our_table);
}

}  // namespace heddle::nft
