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
sub vcl_recv {
{{- if not .OpenPurge}}
  # Otherwise anybody who knows a URL could have it thrown away, and so have the origin do the work.
  if (req.method == "FASTLYPURGE") {
    set req.http.Fastly-Purge-Requires-Auth = "1";
  }
{{- end}}

  if (fastly.ff.visits_this_service > 0) {
    # This is the shield: the site that the visitor asked hands out what is stale, and asks for what is fresh.
    set req.max_stale_while_revalidate = 0s;
  } else if (req.restarts == 0) {
    # Visitors can send this header too, and logs and statistics believe it.
    set req.http.Fastly-Client-IP = client.ip;
  }
{{- if .IsMedia}}

  # Media are the same for all. What tells visitors apart is neither the bucket's business nor a reason to ask it.
  if ({{.IsMedia}}) {
    unset req.http.Cookie;
    unset req.http.Authorization;
    # Fastly keeps what is larger than 20 MB in parts only, and an episode is.
    if (req.url.ext ~ "(?i)^(mp3|m4a|mp4|m4v|wav|zip)$") {
      set req.enable_segmented_caching = true;
    }
  }
{{- end}}
{{- if .ImageOptimizer}}

  if (req.url.ext ~ "(?i)^(gif|png|jpe?g|webp)$") {
    set req.http.X-Fastly-Imageopto-Api = "fastly";
    set req.url = querystring.set(req.url, "auto", "webp");
  }
{{- end}}

#FASTLY recv
{{- if .Redirects}}

  if (table.contains(redirects, req.http.Host)) {
    error 618 table.lookup(redirects, req.http.Host);
  }
{{- end}}

  if (req.method == "FASTLYPURGE") {
    return(lookup);
  }
  if (req.method != "GET" && req.method != "HEAD") {
    return(pass);
  }
  # Whoever is known gets pages of their own. This comes after the choice of a backend, so that they go through the shield too.
  if (req.http.Cookie || req.http.Authorization) {
    return(pass);
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
  return(fetch);
}

sub vcl_pass {
#FASTLY pass
  return(pass);
}

sub vcl_fetch {
#FASTLY fetch

  if (beresp.status >= 500 && beresp.status < 600) {
    # An answer of a while ago is better than an error.
    if (stale.exists) {
      return(deliver_stale);
    }
    # The shield could not tell; a second try goes past it. Only whoever asked a shield tries again, or the tries would multiply.
    if (req.restarts == 0 && req.backend.is_shield && (req.method == "GET" || req.method == "HEAD")) {
      restart;
    }
    # Fastly keeps no errors, nor does it remember that there was one.
    return(deliver);
  }
{{- if .IsCrossOrigin}}

  if (({{.IsCrossOrigin}}) && !beresp.http.Access-Control-Allow-Origin) {
    set beresp.http.Access-Control-Allow-Origin = "*";
  }
{{- end}}
{{- if .IsMedia}}

  if ({{.IsMedia}}) {
    unset beresp.http.Set-Cookie;
    set beresp.do_stream = true;
    # S3 has no headers for caches in between; who uploads says in metadata what they would say.
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
  }
{{- end}}

  # Of both headers Fastly reads ages only. What else Cache-Control says is for browsers, if there is an age for Fastly.
  if (beresp.http.Set-Cookie || beresp.http.Cache-Control ~ "private" || beresp.http.Surrogate-Control ~ "(private|no-store)") {
    return(pass);
  }
  if (beresp.http.Surrogate-Control !~ "max-age" && beresp.http.Cache-Control ~ "(no-store|no-cache)") {
    return(pass);
  }
  if (!beresp.http.Expires && beresp.http.Surrogate-Control !~ "max-age" && beresp.http.Cache-Control !~ "(s-maxage|max-age)") {
    set beresp.ttl = {{.TTL}}s;
    set beresp.ttl -= std.atoi(beresp.http.Age);
  }
  if (beresp.http.Surrogate-Control !~ "stale-while-revalidate" && beresp.http.Cache-Control !~ "stale-while-revalidate") {
    set beresp.stale_while_revalidate = {{.StaleWhileRevalidate}}s;
  }
  if (beresp.http.Surrogate-Control !~ "stale-if-error" && beresp.http.Cache-Control !~ "stale-if-error") {
    set beresp.stale_if_error = {{.StaleIfError}}s;
  }
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
  return(deliver);
}

sub vcl_deliver {
#FASTLY deliver
{{- if .HSTS}}

  set resp.http.Strict-Transport-Security = "max-age={{.HSTS}}";
{{- end}}
  return(deliver);
}

sub vcl_log {
#FASTLY log
}
