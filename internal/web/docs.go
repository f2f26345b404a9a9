package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// described is one operation on the page.
type described struct {
	ID, Method, Path, Summary, Description string
	Access                                 any
	Parameters                             []*huma.Param
	Fields                                 []field
	Answer                                 []field
}

// field is one property of a body.
type field struct {
	Name, Type, Doc string
	Required        bool
}

// docs shows what the API can do. The page is made from the OpenAPI document here: the usual viewers load scripts from
// elsewhere, which the content policy forbids and a machine without the internet can't.
func (s *Server) docs(w http.ResponseWriter, r *http.Request) error {
	api := s.api.OpenAPI()
	return s.show(w, r, http.StatusOK, "docs", shell{Title: "API", Body: map[string]any{"API": api, "Operations": describe(api)}})
}

// describe lists the operations by path.
func describe(api *huma.OpenAPI) []described {
	var all []described
	for path, item := range api.Paths {
		for method, op := range map[string]*huma.Operation{
			"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete,
		} {
			if op == nil {
				continue
			}
			d := described{
				ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description,
				Access: op.Extensions[accessExtension], Parameters: op.Parameters,
			}
			if op.RequestBody != nil {
				d.Fields = fieldsOf(api, op.RequestBody.Content, "")
			}
			for status, answer := range op.Responses {
				if strings.HasPrefix(status, "2") {
					d.Answer = fieldsOf(api, answer.Content, "")
				}
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b described) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	return all
}

// fieldsOf lists the properties of a JSON body, with nested ones under dotted names.
func fieldsOf(api *huma.OpenAPI, content map[string]*huma.MediaType, prefix string) []field {
	media := content["application/json"]
	if media == nil || media.Schema == nil {
		return nil
	}
	return properties(api, media.Schema, prefix, 0)
}

// deepest bounds how far properties are followed.
const deepest = 4

func properties(api *huma.OpenAPI, s *huma.Schema, prefix string, depth int) []field {
	if s.Ref != "" {
		s = api.Components.Schemas.SchemaFromRef(s.Ref)
	}
	var fields []field
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p := s.Properties[name]
		inner := p
		kind := p.Type
		if p.Items != nil {
			inner, kind = p.Items, "array"
		}
		fields = append(fields, field{prefix + name, typeName(inner, kind), p.Description, slices.Contains(s.Required, name)})
		if depth < deepest && (inner.Ref != "" || inner.Type == huma.TypeObject) {
			fields = append(fields, properties(api, inner, prefix+name+".", depth+1)...)
		}
	}
	return fields
}

// typeName says in a word what a property holds.
func typeName(s *huma.Schema, kind string) string {
	name := s.Type
	if s.Ref != "" {
		name = huma.TypeObject
	}
	if kind == "array" {
		return "array of " + name
	}
	return name
}
