package visitors

import (
	"context"
	"fmt"
	"time"

	"github.com/coder/websocket"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// talk holds a WebSocket, says something each second, and connects anew when it is lost. What was said and not heard has failed.
func (o *Options) talk(ctx context.Context, note func(Sort, *vegeta.Result)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var connection *websocket.Conn
	for number := 0; ctx.Err() == nil; number++ {
		began := time.Now()
		err := o.say(ctx, &connection, fmt.Sprintf("sentence %d", number))
		if ctx.Err() != nil {
			break // and was not lost
		}
		result := &vegeta.Result{Timestamp: began, Latency: time.Since(began), Code: 200}
		if err != nil {
			result.Code, result.Error = 0, err.Error()
		}
		note(Talking, result)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if connection != nil {
		_ = connection.CloseNow()
	}
}

// say waits for the echo of what it says.
func (o *Options) say(ctx context.Context, connection **websocket.Conn, text string) (err error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	defer func() {
		if err != nil && *connection != nil {
			_ = (*connection).CloseNow()
			*connection = nil
		}
	}()
	if *connection == nil {
		client := o.client()
		client.Timeout = 0 // it stays
		*connection, _, err = websocket.Dial(ctx, "wss://"+o.Host+"/websocket", &websocket.DialOptions{HTTPClient: client})
		if err != nil {
			return err
		}
	}
	if err := (*connection).Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		return err
	}
	_, heard, err := (*connection).Read(ctx)
	if err == nil && string(heard) != text {
		err = fmt.Errorf("said %q, and heard %q", text, heard)
	}
	return err
}
