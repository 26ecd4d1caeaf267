#include "proxy/route/rewriter.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "proxy/http/syntax.h"
#include "proxy/route/pattern.h"

namespace heddle::route {
namespace {

// `$1` as RE2 spells it, `\1`.
std::string re2_replacement(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      out += "\\\\";
    } else if (text[i] == '$' && i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9') {
      out += '\\';
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

Result<Rewriter> Rewriter::make(const snapshot::Rewrite& config) {
  Rewriter out;
  out.config_ = config;
  if (config.path_regex.empty()) return out;
  TRY(out.regex_, compile_regex(config.path_regex));
  out.replacement_ = re2_replacement(config.path_with);
  std::string error;
  if (!out.regex_->CheckRewriteString(out.replacement_, &error)) {
    return fail(Errc::invalid, "the replacement '" + config.path_with.substr(0, 60) +
                                   "' does not fit the expression: " + error);
  }
  return out;
}

std::optional<std::string> Rewriter::target_for(const http::RequestHead& request) const {
  if (request.target == "*") return std::nullopt;
  const std::string_view path = request.path_is_root ? "/" : request.path;
  const std::string_view query =
      request.path_is_root ? request.target : request.target.substr(request.path.size());
  std::string out;
  if (regex_) {
    const re2::StringPiece text(path.data(), path.size());
    constexpr int kGroups = 10;
    std::array<re2::StringPiece, kGroups> groups;
    const int wanted = std::min(kGroups, regex_->NumberOfCapturingGroups() + 1);
    if (!regex_->Match(text, 0, path.size(), re2::RE2::ANCHOR_BOTH, groups.data(), wanted) ||
        !regex_->Rewrite(&out, replacement_, groups.data(), wanted)) {
      return std::nullopt;
    }
  } else if (!config_.path_prefix.empty() && path.starts_with(config_.path_prefix)) {
    out = config_.path_with;
    out.append(path.substr(config_.path_prefix.size()));
  } else {
    return std::nullopt;
  }
  if (!out.starts_with('/')) out.insert(out.begin(), '/');
  out.append(query);
  return out;
}

void Edits::apply(std::span<const snapshot::HeaderEdit> edits,
                  std::vector<http::HeaderField>& fields) {
  for (const snapshot::HeaderEdit& edit : edits) {
    if (edit.how != snapshot::HeaderEdit::How::add) {
      std::erase_if(fields,
                    [&](const auto& field) { return http::iequals(field.name, edit.name); });
    }
    if (edit.how == snapshot::HeaderEdit::How::remove) continue;
    fields.push_back({edit.name, edit.value, http::field_id(edit.name), false});
  }
}

void Edits::set(std::vector<http::HeaderField>& fields, std::string_view name, std::string value) {
  std::erase_if(fields, [&](const auto& field) { return http::iequals(field.name, name); });
  fields.push_back({name, keep(std::move(value)), http::field_id(name), false});
}

std::string_view Edits::keep(std::string text) {
  texts_.push_front(std::move(text));
  return texts_.front();
}

bool is_editable(std::string_view name) {
  switch (http::field_id(name)) {
    case http::FieldId::connection:
    case http::FieldId::content_length:
    case http::FieldId::expect:
    case http::FieldId::hop_by_hop:
    case http::FieldId::host:
    case http::FieldId::transfer_encoding:
    case http::FieldId::upgrade:
      return false;
    default:
      return true;
  }
}

bool is_forwarding(std::string_view name) {
  switch (http::field_id(name)) {
    case http::FieldId::forwarded_for:
    case http::FieldId::forwarded_host:
    case http::FieldId::forwarded_port:
    case http::FieldId::forwarded_proto:
      return true;
    default:
      return false;
  }
}

}  // namespace heddle::route
