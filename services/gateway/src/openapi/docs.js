// Shows /openapi.json. Everything is set as text, never as markup.
const verbs = ['get', 'post', 'put', 'patch', 'delete'];

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** A schema as a reader wants it: references followed, so that fields and their types show. */
function sketch(schema, schemas, seen = []) {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    return seen.includes(name) ? name : sketch(schemas[name], schemas, [...seen, name]);
  }
  if (schema.enum) return schema.enum.join(' | ');
  if (schema.type === 'array') return [sketch(schema.items, schemas, seen)];
  if (schema.type !== 'object') return schema.format ? `${schema.type} (${schema.format})` : schema.type;
  const fields = Object.entries(schema.properties ?? {});
  return Object.fromEntries(fields.map(([name, field]) => [name, sketch(field, schemas, seen)]));
}

function block(title, schema, schemas) {
  const section = element('section');
  section.append(element('h4', title), element('pre', JSON.stringify(sketch(schema, schemas), null, 2)));
  return section;
}

function operation(path, verb, { summary, description, parameters = [], requestBody, responses }, schemas) {
  const details = element('details');
  const head = element('summary');
  head.append(
    element('span', verb.toUpperCase(), 'verb'),
    element('code', path),
    element('span', ` ${summary}`, 'note'),
  );
  details.append(head);
  if (description) details.append(element('p', description));
  if (parameters.length > 0) {
    const list = element('ul');
    for (const parameter of parameters) {
      const item = element('li');
      const type = sketch(parameter.schema, schemas);
      item.append(element('code', parameter.name), element('span', ` in ${parameter.in}: ${type}`, 'note'));
      if (parameter.description) item.append(element('span', ` ${parameter.description}`));
      list.append(item);
    }
    details.append(element('h4', 'Parameters'), list);
  }
  const sent = requestBody?.content['application/json'].schema;
  if (sent) details.append(block('Body', sent, schemas));
  const answered = responses['200']?.content?.['application/json']?.schema;
  if (answered) details.append(block('Answer', answered, schemas));
  return details;
}

const api = await (await fetch('/openapi.json')).json();
document.querySelector('#description').textContent = api.info.description;
const main = document.querySelector('#operations');
for (const { name } of api.tags) {
  main.append(element('h2', name));
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const verb of verbs) {
      const found = operations[verb];
      if (found?.tags.includes(name)) main.append(operation(path, verb, found, api.components.schemas));
    }
  }
}
