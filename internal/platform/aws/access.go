package aws

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/stereospot/stereospot/internal/platform"
)

// tokens are two items each in the triggered table: one found by the hash, one by the id, written and removed together.
//
// Actions it uses: dynamodb:GetItem, TransactWriteItems (PutItem, DeleteItem), Scan.
type tokens struct{ *tables }

var _ platform.Tokens = tokens{}

const (
	tokenByHash = "token/"
	tokenByID   = "token-id/"
)

// Add implements platform.Tokens.
func (r tokens) Add(ctx context.Context, t platform.Token) error {
	row, err := json.Marshal(t)
	if err != nil {
		return err
	}
	put := func(key, more item) types.TransactWriteItem {
		return types.TransactWriteItem{Put: &types.Put{
			TableName: &r.triggered, Item: with(key, more), ConditionExpression: aws.String("attribute_not_exists(job_id)"),
		}}
	}
	_, err = r.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		put(nameKey(tokenByHash, t.Hash), item{"row": text(string(row))}),
		put(nameKey(tokenByID, t.ID), item{"hash": text(t.Hash)}),
	}})
	if transactionRefused(err) {
		return fmt.Errorf("token %s: %w", t.ID, platform.ErrExists)
	}
	return err
}

// Find implements platform.Tokens.
func (r tokens) Find(ctx context.Context, hash string) (platform.Token, error) {
	i, err := r.get(ctx, r.triggered, nameKey(tokenByHash, hash))
	if err != nil {
		return platform.Token{}, err
	}
	if i == nil {
		return platform.Token{}, fmt.Errorf("token: %w", platform.ErrNotFound)
	}
	return decodeToken(i)
}

func decodeToken(i item) (t platform.Token, err error) {
	return t, json.Unmarshal([]byte(textOf(i, "row")), &t)
}

// List implements platform.Tokens.
func (r tokens) List(ctx context.Context, owner string) ([]platform.Token, error) {
	items, err := r.under(ctx, tokenByHash)
	if err != nil {
		return nil, err
	}
	var list []platform.Token
	for _, i := range items {
		t, err := decodeToken(i)
		if err != nil {
			return nil, err
		}
		if owner == "" || t.Owner == owner {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b platform.Token) int { return b.Created.Compare(a.Created) })
	return list, nil
}

// Remove implements platform.Tokens.
func (r tokens) Remove(ctx context.Context, owner, id string) error {
	missing := fmt.Errorf("token %s: %w", id, platform.ErrNotFound)
	i, err := r.get(ctx, r.triggered, nameKey(tokenByID, id))
	if err != nil {
		return err
	}
	if i == nil {
		return missing
	}
	t, err := r.Find(ctx, textOf(i, "hash"))
	if err != nil {
		return err
	}
	if owner != "" && t.Owner != owner {
		return missing
	}
	remove := func(key item) types.TransactWriteItem {
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: &r.triggered, Key: key, ConditionExpression: aws.String("attribute_exists(job_id)"),
		}}
	}
	_, err = r.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		remove(nameKey(tokenByHash, t.Hash)), remove(nameKey(tokenByID, id)),
	}})
	if transactionRefused(err) {
		return missing
	}
	return err
}

// secrets are items of the triggered table, which is encrypted at rest.
//
// Actions it uses: dynamodb:GetItem, PutItem.
type secrets struct{ *tables }

var _ platform.Secrets = secrets{}

// Secret implements platform.Secrets: whoever asks first makes it, on condition that there is none.
func (r secrets) Secret(ctx context.Context, name string) ([]byte, error) {
	key := nameKey("secret/", name)
	for {
		i, err := r.get(ctx, r.triggered, key)
		if err != nil {
			return nil, err
		}
		if i != nil {
			return hex.DecodeString(textOf(i, "value"))
		}
		var made [32]byte
		_, _ = rand.Read(made[:]) // never fails (crypto/rand)
		err = r.put(ctx, r.triggered, with(key, item{"value": text(hex.EncodeToString(made[:]))}), expression{text: "attribute_not_exists(job_id)"})
		if err != nil && !refusedCondition(err) {
			return nil, err
		}
	}
}
