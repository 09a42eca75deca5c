# What Fastly does with a service that has no VCL of its own.

sub vcl_recv {
#FASTLY recv
  if (req.method != "GET" && req.method != "HEAD" && req.method != "FASTLYPURGE") {
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

sub vcl_fetch {
#FASTLY fetch
  if (beresp.status >= 500 && beresp.status < 600) {
    if (stale.exists) {
      return(deliver_stale);
    }
    if (req.restarts == 0 && (req.method == "GET" || req.method == "HEAD")) {
      restart;
    }
    set beresp.cacheable = false;
    return(deliver);
  }
  if (beresp.http.Set-Cookie || beresp.http.Cache-Control ~ "private") {
    return(pass);
  }
  if (!beresp.http.Expires && beresp.http.Surrogate-Control !~ "max-age" && beresp.http.Cache-Control !~ "(s-maxage|max-age)") {
    set beresp.ttl = 3600s;
  }
  return(deliver);
}

sub vcl_error {
#FASTLY error
  if (obj.status >= 500 && obj.status < 600 && stale.exists) {
    return(deliver_stale);
  }
  set obj.http.Content-Type = "text/html; charset=utf-8";
  synthetic {"<!DOCTYPE html><title>"} obj.status " " obj.response {"</title><h1>"} obj.status " " obj.response {"</h1>"};
  return(deliver);
}
