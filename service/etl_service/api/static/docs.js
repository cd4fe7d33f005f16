// Shows the OpenAPI document beside this page, and sends the requests it describes. Text goes in as text, never as HTML.

const base = new URL(".", location.href);
const api = await (await fetch(new URL("openapi.json", base))).json();
const token = document.querySelector("#token input");

document.title = api.info.title;
document.querySelector("#title").textContent = api.info.title;
document.querySelector("#about").textContent = api.info.description;
document.querySelector("#token").hidden = !api.components.securitySchemes;
document.querySelector("#operations").replaceChildren(...groups().flatMap(group));

function groups() {
  const byTag = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "other";
      byTag.set(tag, [...(byTag.get(tag) ?? []), { path, method, ...operation }]);
    }
  }
  return [...byTag];
}

function group([tag, operations]) {
  return [element("h2", tag), ...operations.map(details)];
}

function details(operation) {
  const title = element("summary", element("code", `${operation.method.toUpperCase()} ${operation.path}`), element("span", operation.summary));
  const form = element("form", parameters(operation), element("button", "Send"));
  const answer = element("div");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(operation, new FormData(form), answer);
  });
  return element("details", title, element("p", operation.description ?? ""), form, answer, responses(operation));
}

function parameters(operation) {
  const rows = (operation.parameters ?? []).map((parameter) => {
    const about = [parameter.description, bounds(resolved(parameter.schema))].filter(Boolean).join(" ");
    return element("tr", element("td", input(parameter)), element("td", element("small", about)));
  });
  return element("table", ...rows);
}

function input(parameter) {
  const schema = resolved(parameter.schema);
  const choices = schema.type === "boolean" ? ["true", "false"] : schema.enum;
  const field = choices ? element("select", element("option", ""), ...choices.map((choice) => element("option", choice))) : element("input");
  field.name = parameter.name;
  if (parameter.required) field.required = true;
  else if (!choices) field.placeholder = schema.type === "object" ? "column=value" : (schema.default ?? "");
  return element("label", element("code", parameter.name), document.createElement("br"), field);
}

// What a parameter may be, of a schema that may also be null.
function resolved(schema) {
  const one = schema?.anyOf?.find((each) => each.type !== "null") ?? schema ?? {};
  return one.$ref ? api.components.schemas[one.$ref.split("/").pop()] : one;
}

function bounds(schema) {
  return schema.maximum === undefined ? "" : `From ${schema.minimum} to ${schema.maximum}.`;
}

function responses(operation) {
  const rows = Object.entries(operation.responses).map(([status, response]) => {
    const content = Object.entries(response.content ?? {});
    const schemas = content.map(([type, { schema }]) => element("details", element("summary", element("code", type)), shown(schema)));
    return element("tr", element("td", element("code", status)), element("td", response.description, ...schemas));
  });
  return element("div", element("h3", "Answers"), element("table", ...rows));
}

function shown(schema) {
  const inlined = (_, value) => (value?.$ref ? api.components.schemas[value.$ref.split("/").pop()] : value);
  return element("pre", JSON.stringify(schema, inlined, 2));
}

async function send(operation, form, answer) {
  const url = new URL(operation.path.slice(1), base);
  const headers = new Headers(token.value ? { Authorization: `Bearer ${token.value}` } : {});
  for (const parameter of operation.parameters ?? []) {
    const value = form.get(parameter.name);
    if (!value) continue;
    if (parameter.in === "path") url.pathname = url.pathname.replace(encodeURI(`{${parameter.name}}`), encodeURIComponent(value));
    else if (parameter.in === "header") headers.set(parameter.name, value);
    else if (parameter.schema.type === "object") for (const pair of new URLSearchParams(value)) url.searchParams.append(...pair);
    else url.searchParams.set(parameter.name, value);
  }
  const status = element("h3", `${operation.method.toUpperCase()} ${url.pathname}${url.search} …`);
  const body = element("pre");
  answer.replaceChildren(status, body);
  const began = performance.now();
  try {
    const response = await fetch(url, { method: operation.method.toUpperCase(), headers });
    status.textContent = `${response.status} ${response.statusText} · ${Math.round(performance.now() - began)} ms · ${url.pathname}${url.search}`;
    await read(response, body);
  } catch (error) {
    body.textContent = String(error);
  }
}

// Events are shown as they come; of the rest, no more than can be looked at.
async function read(response, body) {
  let text = "";
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.length < 200_000) body.textContent = text;
  }
  if (response.headers.get("content-type")?.includes("json") && text.length < 200_000) {
    try {
      body.textContent = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // Lines of JSON are no JSON as a whole, and are shown as they came.
    }
  }
}

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}
