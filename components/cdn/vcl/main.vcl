# What Fastly generates from the service's objects goes where a line says #FASTLY: forced TLS, the choice of a backend and of
# its shield, compression, HTTP/3, logs, snippets.
# https://www.fastly.com/documentation/reference/vcl/subroutines/
{{if .Redirects}}
# Hosts that lead to another.
table redirects {
{{- range .Redirects}}
  "{{.From}}": "{{.To}}",
{{- end}}
}
{{end}}
{{- if .Excepted}}
# Networks whose visitors see the application during maintenance.
acl excepted {
{{- range .Excepted}}
  {{.}};
{{- end}}
}
{{end}}
# The application hears what is true of a visitor, and nothing that he says of himself. Fastly adds to three of these headers at
# each site, so that each writes them anew.
sub know_the_visitor {
  if (fastly.ff.visits_this_service == 0 && req.restarts == 0) {
{{- range .Hearsay}}
    unset req.http.{{.}};
{{- end}}
    # Fastly leaves this one alone if a visitor sends it, and forces TLS by it.
    if (!fastly_info.edge.is_tls) {
      unset req.http.Fastly-SSL;
    }
{{- if .BasicAuth}}
    unset req.http.Fastly-Password;
{{- end}}
    # By it what the edge, the origin and the application note of a request is found.
    set req.http.X-Request-Id = uuid.version4();
    set req.http.Fastly-Client-IP = client.ip;
    set req.http.Host = std.tolower(regsub(req.http.Host, "\.?(:[0-9]*)?$", ""));
  }
{{- range .Forwarded}}
  unset req.http.{{.}};
{{- end}}
  set req.http.X-Forwarded-For = req.http.Fastly-Client-IP;
  set req.http.X-Real-IP = req.http.Fastly-Client-IP;
  set req.http.X-Forwarded-Host = req.http.Host;
  # Whatever goes further than this came over TLS, or was led to it.
  set req.http.X-Forwarded-Proto = "https";
  set req.http.X-Forwarded-Port = "443";
}
{{- if .IsPublic}}

# Media are the same for all. What tells visitors apart is neither the bucket's business nor a reason to ask it.
sub ask_for_media {
  unset req.http.Cookie;
  unset req.http.Authorization;
  unset req.http.X-Amz-*;
{{- if .ImageOptimizer}}
  # The optimizer reads parameters. What is thrown away is the image, and so all that was made of it.
  if (req.url.ext ~ "{{.Images}}" && req.method != "FASTLYPURGE") {
    set req.http.X-Fastly-Imageopto-Api = "fastly";
    set req.url = querystring.sort(querystring.regfilter_except(req.url, "{{.ImageParameters}}"));
    set req.url = querystring.set(req.url, "auto", "webp");
  } else {
    set req.url = req.url.path;
  }
{{- else}}
  set req.url = req.url.path;
{{- end}}
}
{{- end}}
{{- if .BasicAuth}}

# The password is Fastly's business: an application would take it for a key of its own, whose answers are for one user. One that
# came once stays in a cookie, so that scripts can have Authorization for themselves.
sub ask_for_password {
  declare local var.given STRING;
  declare local var.key STRING;
  if (req.http.Authorization ~ "(?i)^basic +([A-Za-z0-9+/=]+) *$") {
    set var.given = re.group.1;
  }
  set var.key = "{{.Name}} " var.given;
  if (table.contains(passwords, digest.hash_sha256(var.key))) {
    unset req.http.Authorization;
    if (req.http.Cookie:fastly_password != var.given) {
      set req.http.Fastly-Password = var.given;
    }
  } else {
    set var.key = "{{.Name}} " req.http.Cookie:fastly_password;
    if (!table.contains(passwords, digest.hash_sha256(var.key))) {
      error 619;
    }
  }
  unset req.http.Cookie:fastly_password;
}
{{- end}}

sub vcl_recv {
{{- if not .OpenPurge}}
  # Otherwise anybody who knows a URL could have it thrown away, and so have the origin do the work.
  if (req.method == "FASTLYPURGE") {
    set req.http.Fastly-Purge-Requires-Auth = "1";
  }
{{- end}}

  call know_the_visitor;
  if (fastly.ff.visits_this_service > 0) {
    # This is the shield: the site that the visitor asked hands out what is stale, and asks for what is fresh.
    set req.max_stale_while_revalidate = 0s;
  }
{{- if .IsPublic}}
  if ({{.IsPublic}}) {
    call ask_for_media;
  }
{{- end}}

#FASTLY recv
{{- if .Redirects}}

  if (table.contains(redirects, req.http.Host)) {
    error 618 table.lookup(redirects, req.http.Host);
  }
{{- end}}
{{- range .Leads}}

  if ({{.Condition}}) {
    error {{.Error}} {{.Location}} regsub(req.url, "{{.Gone}}", "");
  }
{{- end}}
{{- if .MaintenancePage}}

  # What others than the origin answer goes on{{if .IsUncached}}, and so do these hosts{{end}}.
  if (fastly.ff.visits_this_service == 0 && req.method != "FASTLYPURGE" && req.url != {"{{.HealthPath}}"}
      && !std.prefixof(req.url, "/.well-known/acme-challenge/"){{if .Excepted}} && client.ip !~ excepted{{end}}
{{- if .IsElsewhere}} && !({{.IsElsewhere}}){{end}}{{if .IsUncached}} && !({{.IsUncached}}){{end}}) {
    error 620;
  }
{{- end}}
{{- if .BasicAuth}}

  # Media are open at the bucket{{if .IsUncached}}, and these hosts ask for passwords of their own{{end}}.
  if (fastly.ff.visits_this_service == 0 && req.restarts == 0 && req.method != "FASTLYPURGE" && req.url != {"{{.HealthPath}}"}
      && !std.prefixof(req.url, "/.well-known/acme-challenge/")
{{- if .IsPublic}} && !({{.IsPublic}}){{end}}{{if .IsUncached}} && !({{.IsUncached}}){{end}}) {
    call ask_for_password;
  }
{{- end}}
{{- if .WebSockets}}

  # A shield cannot carry one. The backend of a bucket has none.
  if (req.http.Upgrade ~ "(?i)^websocket$"{{if .IsElsewhere}} && !({{.IsElsewhere}}){{end}}) {
    set req.backend = F_{{.Origin}};
    return(upgrade);
  }
{{- end}}

  # All this comes after the choice of a backend, so that what is passed on goes through the shield too.
  if (req.method != "GET" && req.method != "HEAD" && req.method != "FASTLYPURGE") {
    return(pass);
  }
  if (req.method != "FASTLYPURGE"{{if .IsPublic}} && !({{.IsPublic}}){{end}}) {
    # A part of what is not kept is asked for as such.
    set req.enable_range_on_pass = true;
    # Only the origin knows whether it is well{{if .IsUncached}}, and these hosts belong to nobody but their users{{end}}.
    if (req.url == {"{{.HealthPath}}"}{{if .IsUncached}} || {{.IsUncached}}{{end}}) {
      return(pass);
    }
    # Whoever brings a key gets answers of his own.
    if ({{.Credentials}}) {
      return(pass);
    }
    # Whoever has a session gets pages of his own, and files that the origin calls public. No other cookie tells visitors apart.
    if (req.http.Cookie !~ "{{.Sessions}}") {
      unset req.http.Cookie;
    } else if (req.url.ext !~ "{{.Assets}}") {
      return(pass);
    }
{{- range .Overrides}}
    unset req.http.{{.}};
{{- end}}
  }

  # Fastly keeps what is larger than 20 MB in parts only, which can be neither compressed nor optimised.
  if (req.url.ext ~ "{{.Downloads}}"{{if .IsPublic}} || (({{.IsPublic}}) && req.url.ext !~ "{{.Small}}"){{end}}) {
    set req.enable_segmented_caching = true;
  }
  return(lookup);
}

sub vcl_hash {
  set req.hash += req.url;
  set req.hash += req.http.Host;
#FASTLY hash
  return(hash);
}

sub vcl_hit {
#FASTLY hit
  return(deliver);
}

sub vcl_miss {
#FASTLY miss
{{- if .BasicAuth}}
  unset bereq.http.Fastly-Password;
{{- end}}
  return(fetch);
}

sub vcl_pass {
#FASTLY pass
{{- if .BasicAuth}}
  unset bereq.http.Fastly-Password;
{{- end}}
  return(pass);
}

# Nobody gets what was answered to somebody else, unless the origin says that all may have it.
sub keep_what_all_may_have {
  std.collect(beresp.http.Cache-Control);
  std.collect(beresp.http.Surrogate-Control);
  std.collect(beresp.http.Vary);
  if (beresp.http.Set-Cookie || beresp.http.Vary ~ "\*" || beresp.http.Cache-Control ~ "(?i)private") {
    return(pass);
  }
  # Of both headers Fastly reads ages only. What else Cache-Control says is for browsers, if there is an age for Fastly.
  if (beresp.http.Surrogate-Control ~ "(?i)(private|no-store|no-cache)") {
    return(pass);
  }
  if (beresp.http.Surrogate-Control !~ "max-age=[0-9]" && beresp.http.Cache-Control ~ "(?i)(no-store|no-cache)") {
    return(pass);
  }
  # A cookie that is still there is a session's.
  if (req.http.Cookie) {
    if (beresp.http.Vary ~ "(?i)cookie") {
      return(pass);
    }
    if (beresp.http.Surrogate-Control !~ "max-age=[0-9]" && beresp.http.Cache-Control !~ "(?i)(public|s-maxage)") {
      return(pass);
    }
  }
  # Fastly may not understand an age that is written in another way, and what it does not understand is not kept.
  if (beresp.http.Surrogate-Control !~ "max-age=[0-9]" && beresp.http.Cache-Control !~ "(s-maxage|max-age)=[0-9]") {
    if (beresp.http.Surrogate-Control ~ "(?i)max-age" || beresp.http.Cache-Control ~ "(?i)(s-maxage|max-age)") {
      return(pass);
    }
    if (!beresp.http.Expires) {
{{- if .IsPublic}}
      if ({{.IsPublic}}) {
        set beresp.ttl = {{.MediaTTL}}s;
      } else {
        set beresp.ttl = {{.TTL}}s;
      }
{{- else}}
      set beresp.ttl = {{.TTL}}s;
{{- end}}
      set beresp.ttl -= std.atoi(beresp.http.Age);
    } else if (!time.is_after(std.time(beresp.http.Expires, now), now)) {
      return(pass);
    }
  }
  if (beresp.ttl <= 0s) {
    return(pass);
  }
}

# How long an answer may be handed out when it has run out. Some origins forbid it, or say themselves.
sub limit_what_is_stale {
  if (beresp.http.Surrogate-Control !~ "stale-while-revalidate") {
    if (beresp.http.Cache-Control ~ "{{.MustRevalidate}}") {
      set beresp.stale_while_revalidate = 0s;
    } else if (beresp.http.Cache-Control !~ "(?i)(s-maxage|stale-while-revalidate)") {
      set beresp.stale_while_revalidate = {{.StaleWhileRevalidate}}s;
    }
  }
  if (beresp.http.Surrogate-Control !~ "stale-if-error") {
    if (beresp.http.Cache-Control ~ "{{.MustRevalidate}}") {
      set beresp.stale_if_error = 0s;
    } else if (beresp.http.Cache-Control !~ "(?i)(s-maxage|stale-if-error)") {
      set beresp.stale_if_error = {{.StaleIfError}}s;
    }
  }
}
{{- if .IsPublic}}

# S3 has no headers for caches in between; who uploads says in metadata what they would say.
sub read_metadata {
  unset beresp.http.Set-Cookie;
  set beresp.do_stream = true;
  if (beresp.http.X-Amz-Meta-Surrogate-Key) {
    set beresp.http.Surrogate-Key = beresp.http.X-Amz-Meta-Surrogate-Key;
  }
  if (beresp.http.X-Amz-Meta-Surrogate-Control) {
    set beresp.http.Surrogate-Control = beresp.http.X-Amz-Meta-Surrogate-Control;
    # Fastly has read the headers by now. What a shield has kept something for counts.
    if (beresp.http.Surrogate-Control ~ "max-age=([0-9]+)") {
      set beresp.ttl = 1s;
      set beresp.ttl *= std.atoi(re.group.1);
      set beresp.ttl -= std.atoi(beresp.http.Age);
    }
    if (beresp.http.Surrogate-Control ~ "stale-while-revalidate=([0-9]+)") {
      set beresp.stale_while_revalidate = 1s;
      set beresp.stale_while_revalidate *= std.atoi(re.group.1);
    }
    if (beresp.http.Surrogate-Control ~ "stale-if-error=([0-9]+)") {
      set beresp.stale_if_error = 1s;
      set beresp.stale_if_error *= std.atoi(re.group.1);
    }
  }
  # What else the bucket says of itself is nobody's business.
  unset beresp.http.X-Amz-*;
  unset beresp.http.X-Rgw-*;
}
{{- end}}

sub vcl_fetch {
#FASTLY fetch
{{- if .IsPublic}}

  if ({{.IsPublic}}) {
    call read_metadata;
  }
{{- end}}

  # A bucket that is asked too much says 429; from an application that is about one visitor.
  if ((beresp.status >= 500 && beresp.status < 600){{if .IsPublic}} || (beresp.status == 429 && ({{.IsPublic}})){{end}}) {
    # An answer of a while ago is better than an error.
    if (stale.exists) {
      return(deliver_stale);
    }
    # The shield could not tell; a second try goes past it. Only whoever asked a shield tries again, or the tries would multiply.
    if (req.restarts == 0 && req.backend.is_shield && (req.method == "GET" || req.method == "HEAD")) {
      restart;
    }
    # Nobody is there: what the ingress controller says of it is no page.
    if (beresp.status >= 502 && beresp.status <= 504 && beresp.http.Content-Type !~ "(?i)(html|json|xml)") {
      error 503;
    }
    # Fastly keeps no errors, nor does it remember that there was one.
    return(deliver);
  }
{{- if .IsCrossOrigin}}

  if (({{.IsCrossOrigin}}) && !beresp.http.Access-Control-Allow-Origin) {
    set beresp.http.Access-Control-Allow-Origin = "*";
  }
{{- end}}

  call keep_what_all_may_have;
  # Larger than Fastly keeps as a whole.
  if (std.atoi(beresp.http.Content-Length) > 20000000) {
    set beresp.do_stream = true;
    return(pass);
  }
  call limit_what_is_stale;
  return(deliver);
}

sub vcl_error {
  # The origin cannot be reached, or is held for dead.
  if (obj.status >= 500 && obj.status < 600 && stale.exists) {
    return(deliver_stale);
  }

#FASTLY error
{{- if .Redirects}}

  # The host came with the error.
  if (obj.status == 618) {
    set obj.http.Location = "https://" obj.response req.url;
    set obj.status = 301;
    set obj.response = "Moved Permanently";
    synthetic "";
    return(deliver);
  }
{{- end}}
{{- range .Answers}}

  if (obj.status == {{.Error}}) {
    set obj.http.Location = obj.response;
    set obj.status = {{.Status}};
    set obj.response = "{{.Text}}";
    synthetic "";
    return(deliver);
  }
{{- end}}
{{- if .MaintenancePage}}

  if (obj.status == 620) {
    set obj.http.Content-Type = "text/html; charset=utf-8";
    set obj.http.Cache-Control = "no-store";
    set obj.http.Retry-After = "300";
    set obj.status = 503;
    set obj.response = "Service Unavailable";
    synthetic.base64 "{{.MaintenancePage}}";
    return(deliver);
  }
{{- end}}
{{- if .BasicAuth}}

  if (obj.status == 619) {
    set obj.http.WWW-Authenticate = {"Basic realm="{{.Name}}", charset="UTF-8""};
    set obj.http.Cache-Control = "no-store";
    set obj.status = 401;
    set obj.response = "Unauthorized";
    synthetic "";
    return(deliver);
  }
{{- end}}

  if (obj.status >= 500 && obj.status < 600) {
    set obj.http.Content-Type = "text/html; charset=utf-8";
    set obj.http.Cache-Control = "no-store";
    synthetic.base64 "{{.ErrorPage}}";
  }
  return(deliver);
}

sub vcl_deliver {
#FASTLY deliver

  # Fastly compresses what it keeps; this has the rest compressed on its way to the visitor.
  if (fastly.ff.visits_this_service == 0 && !resp.http.Content-Encoding && !resp.http.Content-Range
      && resp.http.Content-Type ~ "{{.Compressed}}" && resp.http.Cache-Control !~ "(?i)no-transform") {
    set resp.http.X-Compress-Hint = "{{if .Brotli}}on{{else}}gzip{{end}}";
  }
{{- if .HeaderRules}}
  if (fastly.ff.visits_this_service == 0) {
{{- range .HeaderRules}}
{{- if .Condition}}
    if ({{.Condition}}) {
{{- end}}
{{- range .Remove}}
    unset resp.http.{{.}};
{{- end}}
{{- range $name, $value := .Set}}
    set resp.http.{{$name}} = {"{{$value}}"};
{{- end}}
{{- if .Condition}}
    }
{{- end}}
{{- end}}
  }
{{- end}}
  # Also in place of what the application says: a move begins small, and 0 takes back what was said.
  set resp.http.Strict-Transport-Security = "max-age={{.HSTS}}";
{{- if .BasicAuth}}
  if (req.http.Fastly-Password) {
    add resp.http.Set-Cookie = "fastly_password=" req.http.Fastly-Password "; Path=/; Secure; HttpOnly; SameSite=Lax";
  }
{{- end}}
  return(deliver);
}

sub vcl_log {
#FASTLY log
}
