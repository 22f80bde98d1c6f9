// Uses the generated package as a program would.
package main

import (
	"context"
	"encoding/json"
	"os"

	"generated/imagelayer"
)

type given struct {
	Key     string `json:"key"`
	Picture string `json:"picture"`
}

func must[T any](value T, _ any, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	var told given
	if err := json.Unmarshal([]byte(os.Getenv("GIVEN")), &told); err != nil {
		panic(err)
	}
	// The address is the one that the description was served with.
	client := imagelayer.NewAPIClient(imagelayer.NewConfiguration())
	ctx := context.WithValue(context.Background(), imagelayer.ContextAccessToken, told.Key)

	models := must(client.OpenAICompatibleAPI.ListModels(ctx).Execute())
	text := imagelayer.NewTextBlock()
	text.SetHeadline("Hi")
	request := imagelayer.NewCreateGenerationRequest("warm waves")
	request.SetSize("256x256")
	request.SetSeed(4_000_000_000)
	request.SetText(*text)
	generation := must(
		client.GenerationsAPI.CreateGeneration(ctx).CreateGenerationRequest(*request).Prefer("wait=20").Execute())

	picture, err := os.Open(told.Picture)
	if err != nil {
		panic(err)
	}
	edit := must(client.OpenAICompatibleAPI.CreateImageEdit(ctx).
		Prompt("as it is").Size("256x256").Image(picture).ResponseFormat("url").Execute())

	_, _, refusal := client.BrandsAPI.GetBrand(ctx, "brd_00000000000000000000000000").Execute()
	problem := refusal.(*imagelayer.GenericOpenAPIError).Model().(imagelayer.ProblemAnswer)

	ids := []string{}
	for _, model := range models.Data {
		ids = append(ids, model.Id)
	}
	answers := map[string]any{
		"models":  ids,
		"status":  generation.Status,
		"seed":    generation.Seed,
		"url":     edit.Data[0].GetUrl(),
		"refused": problem.Code,
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
