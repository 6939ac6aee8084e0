/** Reads the schema of an event as JSON Schema: its fields as lines, and samples of its data. */

import { z } from 'zod'

interface Node {
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Node[]
  readonly allOf?: readonly Node[]
  readonly oneOf?: readonly Node[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly required?: readonly string[]
  readonly items?: Node
  readonly additionalProperties?: Node | boolean
  /** Names of a record's fields. */
  readonly propertyNames?: Node
  readonly minimum?: number
  readonly pattern?: string
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Node>>
}

/** Texts of which one has the form of each field. */
const TEXTS = ['2026-11-28T10:00:00.000Z', '10m', 'EUR', '1']

/** Returns the fields of an object, also of a record whose names are listed. */
function fieldsIn(node: Node): [string, Node][] {
  const named = Object.entries(node.properties ?? {})
  const { additionalProperties: value, propertyNames: names } = node
  if (typeof value !== 'object' || !names?.enum) return named
  return [...named, ...names.enum.map((name): [string, Node] => [String(name), value])]
}

/** Returns the JSON Schema of data. */
function toNode(schema: z.ZodType): Node {
  return z.toJSONSchema(schema, { unrepresentable: 'any', reused: 'inline' }) as Node
}

/** Returns the fields of a schema, one a line: `address.label?: string | null`. */
export function fieldsOf(schema: z.ZodType): string[] {
  const root = toNode(schema)
  const lines: string[] = []
  const walk = (node: Node, path: string): void => {
    for (const each of alternatives(root, node)) {
      for (const [name, field] of fieldsIn(each)) {
        const at = path === '' ? name : `${path}.${name}`
        lines.push(`${at}${each.required?.includes(name) ? '' : '?'}: ${typeOf(root, field)}`)
        walk(field, at)
      }
      if (each.items) walk(each.items, `${path}[]`)
    }
  }
  walk(root, '')
  return [...new Set(lines)].sort()
}

/** Returns data that the schema accepts, with every field. @param full - Whether fields that may be null are not. */
export function sampleOf(schema: z.ZodType, full: boolean): unknown {
  const root = toNode(schema)
  const sample = (node: Node): unknown => {
    const all = alternatives(root, node)
    const nullable = all.some((each) => each.type === 'null')
    const filled = all.find((each) => each.type !== 'null')
    if (!filled || (nullable && !full)) return null
    if (filled.const !== undefined) return filled.const
    if (filled.enum) return filled.enum[0]
    switch (filled.type) {
      case 'object':
        return Object.fromEntries(fieldsIn(filled).map(([name, field]) => [name, sample(field)]))
      case 'array':
        // Items that the document leaves open have no sample.
        return filled.items && !isOpen(root, filled.items) ? [sample(filled.items)] : []
      case 'integer':
      case 'number':
        return filled.minimum !== undefined && filled.minimum > 1 ? filled.minimum : 1
      case 'boolean':
        return true
      case 'string':
        if (filled.format === 'date-time') return TEXTS[0]
        return [...TEXTS].reverse().find((text) => new RegExp(filled.pattern ?? '', 'u').test(text))
      default:
        return null
    }
  }
  return sample(root)
}

function isOpen(root: Node, items: Node): boolean {
  return alternatives(root, items).every((each) => each.type === 'object' && fieldsIn(each).length === 0)
}

function typeOf(root: Node, node: Node): string {
  return alternatives(root, node)
    .map((each) => {
      if (each.const !== undefined) return JSON.stringify(each.const)
      if (each.enum) return each.enum.map((value) => JSON.stringify(value)).join(' | ')
      if (each.type === 'array') return each.items ? `array of ${typeOf(root, each.items)}` : 'array'
      return each.type === 'null' ? 'null' : (each.format ?? String(each.type ?? 'anything'))
    })
    .join(' | ')
}

/** Returns the forms that a node allows, with references resolved. */
function alternatives(root: Node, node: Node): Node[] {
  const target = node.$ref?.startsWith('#/$defs/')
    ? (root.$defs?.[node.$ref.slice('#/$defs/'.length)] ?? node)
    : node
  const several = target.anyOf ?? target.oneOf ?? target.allOf
  if (several) return several.flatMap((each) => alternatives(root, each))
  return typeof target.type === 'object' ? target.type.map((type) => ({ ...target, type })) : [target]
}
