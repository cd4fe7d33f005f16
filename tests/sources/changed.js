// jsonplaceholder with some of its records changed: CHANGES is {"posts": {"1": {"title": "…"}}}, records by id.
const data = require('jsonplaceholder/data.json')

for (const [resource, changes] of Object.entries(JSON.parse(process.env.CHANGES))) {
  for (const record of data[resource]) Object.assign(record, changes[record.id])
}

// It serves the very object changed above.
require('jsonplaceholder')
