package cdn

// sessionCookies are the names that frameworks give to the cookies that tell their users apart. An asterisk stands for any
// letters.
var sessionCookies = []string{
	// Phoenix; Rails, Laravel and others; Devise; Django, where forms need all of them.
	"_*_key", "*_session", "*-session", "_session_id", "remember_*", "sessionid", "csrftoken", "messages",
	// Auth.js, and the previews of Next.js.
	"*next-auth.*", "*authjs.*", "__prerender_bypass", "__next_preview_data",
	// Flask, FastAPI, Express, Koa, PHP, WordPress, Java, ASP.NET.
	"session", "session_id", "sid", "connect.sid", "koa.sess", "PHPSESSID", "wordpress_logged_in_*", "wordpress_sec_*",
	"wp-postpass_*", "JSESSIONID", "SESSION", ".AspNetCore.*", ".AspNet.*", "ASP.NET_SessionId",
	// Services that keep accounts, and tokens by their usual names.
	"__session", "__Host-*", "__Secure-*", "sb-*", "ory_*", "jwt", "*access_token", "*refresh_token", "*auth_token",
}
