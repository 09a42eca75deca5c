package linode

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/linode/linodego"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Token is a personal access token: https://www.pulumi.com/registry/packages/linode/api-docs/token/
type Token struct{}

// TokenArgs are the inputs.
type TokenArgs struct {
	Expiry *string `pulumi:"expiry,optional" provider:"replaceOnChanges"` // RFC 3339; never when there is none
	Label  *string `pulumi:"label,optional"`
	Scopes string  `pulumi:"scopes"          provider:"replaceOnChanges"`
}

// TokenState is what the token is like.
type TokenState struct {
	TokenArgs

	Created string `pulumi:"created"`
	Token   string `pulumi:"token"   provider:"secret"` // the API shows it once
}

// Annotate sets the token of the type.
func (r *Token) Annotate(a infer.Annotator) { a.SetToken("index/token", "Token") }

// WireDependencies tells previews that an update never changes the token itself.
func (*Token) WireDependencies(f infer.FieldSelector, _ *TokenArgs, state *TokenState) {
	stay(f, state.Token != "", &state.Created, &state.Expiry, &state.Token)
	f.OutputField(&state.Token).AlwaysSecret()
}

// Create creates the token.
func (*Token) Create(
	ctx context.Context, req infer.CreateRequest[TokenArgs],
) (resp infer.CreateResponse[TokenState], err error) {
	if req.DryRun {
		resp.Output.TokenArgs = foreseen(req.Inputs, TokenArgs{Expiry: new(string)})
		return resp, nil
	}
	options := linodego.TokenCreateOptions{Label: value(req.Inputs.Label), Scopes: req.Inputs.Scopes}
	if req.Inputs.Expiry != nil {
		expiry, err := time.Parse(time.RFC3339, *req.Inputs.Expiry)
		if err != nil {
			return resp, fmt.Errorf("expiry: %w", err)
		}
		options.Expiry = &expiry
	}
	token, err := clientOf(ctx).CreateToken(ctx, options)
	if err != nil {
		return resp, fmt.Errorf("creating token %s: %w", options.Label, err)
	}
	resp.ID, resp.Output = strconv.Itoa(token.ID), tokenOf(token, token.Token)
	return resp, nil
}

func tokenOf(token *linodego.Token, secret string) TokenState {
	return TokenState{
		TokenArgs: TokenArgs{Expiry: new(token.Expiry.Format(time.RFC3339)), Label: some(token.Label), Scopes: token.Scopes},
		Created:   token.Created.Format(time.RFC3339), Token: secret,
	}
}

// Read gives the token as it is, with the secret as it was when the token was created.
func (*Token) Read(
	ctx context.Context, req infer.ReadRequest[TokenArgs, TokenState],
) (resp infer.ReadResponse[TokenArgs, TokenState], err error) {
	id, err := number(req.ID, "a token")
	if err != nil {
		return resp, err
	}
	token, err := clientOf(ctx).GetToken(ctx, id)
	if linodego.IsNotFound(err) {
		return resp, nil
	}
	if err != nil {
		return resp, fmt.Errorf("reading token %d: %w", id, err)
	}
	resp.ID, resp.State = req.ID, tokenOf(token, req.State.Token)
	resp.Inputs = drifted(req.Inputs, req.State.TokenArgs, resp.State.TokenArgs)
	return resp, nil
}

// Update changes the label.
func (*Token) Update(
	ctx context.Context, req infer.UpdateRequest[TokenArgs, TokenState],
) (resp infer.UpdateResponse[TokenState], err error) {
	resp.Output = req.State
	if req.DryRun {
		resp.Output.TokenArgs = foreseen(req.Inputs, req.State.TokenArgs)
		return resp, nil
	}
	id, err := number(req.ID, "a token")
	if err != nil {
		return resp, err
	}
	token, err := clientOf(ctx).UpdateToken(ctx, id, linodego.TokenUpdateOptions{Label: value(req.Inputs.Label)})
	if err != nil {
		return resp, fmt.Errorf("changing token %d: %w", id, err)
	}
	resp.Output = tokenOf(token, req.State.Token)
	return resp, nil
}

// Delete revokes the token.
func (*Token) Delete(ctx context.Context, req infer.DeleteRequest[TokenState]) (resp infer.DeleteResponse, err error) {
	id, err := number(req.ID, "a token")
	if err != nil {
		return resp, err
	}
	if err := clientOf(ctx).DeleteToken(ctx, id); err != nil && !linodego.IsNotFound(err) {
		return resp, fmt.Errorf("deleting token %d: %w", id, err)
	}
	return resp, nil
}
