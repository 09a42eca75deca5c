package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	_ "github.com/lib/pq" // speaks PostgreSQL
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
		d.pool, d.err = sql.Open("postgres", d.url)
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
