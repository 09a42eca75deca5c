package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/lib/pq"
)

// patience is how long the app waits for its database or its bucket.
const patience = 10 * time.Second

// databaseURL is that of the environment, whole, or in the parts that the worked example has.
func databaseURL() string {
	whole, host := os.Getenv("DATABASE_URL"), os.Getenv("DB_HOST")
	if whole != "" || host == "" {
		return whole
	}
	parts := url.URL{ // without TLS, as that connects
		Scheme: "postgres", Host: host, Path: os.Getenv("DB_NAME"), RawQuery: "sslmode=disable",
		User: url.UserPassword(os.Getenv("DB_USER"), os.Getenv("DB_PASS")),
	}
	return parts.String()
}

// database reads from the database for each request, through the connections of a pool.
type database struct {
	url  string
	once sync.Once
	pool *sql.DB
	err  error
}

// ServeHTTP says what the server has to say of itself, and that it was asked now.
func (d *database) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var read struct {
		Now      time.Time `json:"now"`
		Server   string    `json:"server"`
		Replica  bool      `json:"replica"`
		Database string    `json:"database"`
	}
	d.once.Do(func() {
		if d.url == "" {
			d.err = errors.New("neither DATABASE_URL nor DB_HOST is set")
			return
		}
		var connector *pq.Connector
		if connector, d.err = pq.NewConnector(d.url); d.err == nil {
			connector.Dialer(wary{})
			d.pool = sql.OpenDB(connector)
		}
	})
	err := d.err
	if err == nil {
		const question = `SELECT now(), coalesce(host(inet_server_addr()), ''), pg_is_in_recovery(), current_database()`
		err = d.pool.QueryRowContext(ctx, question).Scan(&read.Now, &read.Server, &read.Replica, &read.Database)
	}
	if err != nil {
		unavailable(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(read)
}

// wary connects to servers that may be played, and speak HTTP: four letters of that would be taken for the length of a message,
// of more than a gigabyte.
type wary struct{ dialer net.Dialer }

// DialContext is as of the net package, and so are the others, of which pq wants one more.
func (w wary) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := w.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &waryConn{Conn: connection}, nil
}

func (w wary) Dial(network, address string) (net.Conn, error) {
	return w.DialContext(context.Background(), network, address)
}

func (w wary) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return w.DialContext(ctx, network, address)
}

type waryConn struct {
	net.Conn
	heard bool
}

// errPlayed is why a database is not read.
var errPlayed = errors.New("a web server answers in the place of a database, which is played")

func (c *waryConn) Read(into []byte) (int, error) {
	if c.heard {
		return c.Conn.Read(into)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience)) // a web server waits for the end of a line
	n, err := c.Conn.Read(into)
	_ = c.SetReadDeadline(time.Time{})
	if n > 0 && into[0] == 'H' { // no server of PostgreSQL begins so
		return 0, errPlayed
	}
	c.heard = n > 0
	return n, err
}

// upload puts the body of a request into the bucket, under the names that the worked example gives to its variables.
func upload(w http.ResponseWriter, r *http.Request) {
	bucket, endpoint := os.Getenv("AWS_ASSETS_BUCKET"), os.Getenv("AWS_S3_HOST")
	if bucket == "" || endpoint == "" {
		unavailable(w, errors.New("AWS_ASSETS_BUCKET and AWS_S3_HOST are not set"))
		return
	}
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	key, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	client := s3.New(s3.Options{
		BaseEndpoint: &endpoint, Region: os.Getenv("AWS_REGION"), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""),
		// Else bodies come in chunks, with sums behind them that not every S3 server knows.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	body, err := readSeekable(w, r)
	if err == nil {
		_, err = client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket, Key: aws.String("uploads/" + r.PathValue("name")), Body: body,
			ContentType: aws.String(r.Header.Get("Content-Type")),
		})
	}
	if err != nil {
		unavailable(w, err)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// largest is how much somebody may upload.
const largest = 64 << 20

// readSeekable has all of a body, which is signed before it is sent.
func readSeekable(w http.ResponseWriter, r *http.Request) (io.ReadSeeker, error) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
	return bytes.NewReader(content), err
}
