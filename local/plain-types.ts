/** Writes the types that come from schemas as plain declarations, for a package whose users have no zod. */

import ts from 'typescript'

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  types: ['node'],
}

/** Types that stand at the end of a union. */
const LAST = ['null', 'undefined']

/**
 * Returns the declarations of each file's exported types, with every type written out and the description
 * that the schema gives to a field as its comment.
 *
 * @param files - Paths of TypeScript files.
 * @throws Error for a function, or a type with parameters: schemas give neither.
 */
export function plainTypes(files: readonly string[]): ReadonlyMap<string, string> {
  const program = ts.createProgram([...files], OPTIONS)
  const checker = program.getTypeChecker()
  return new Map(
    files.map((file) => {
      const source = program.getSourceFile(file)
      if (!source) throw new Error(`${file} cannot be read`)
      return [file, source.statements.flatMap((each) => declare(checker, each)).join('\n')]
    }),
  )
}

function declare(checker: ts.TypeChecker, statement: ts.Statement): string[] {
  if (!ts.isTypeAliasDeclaration(statement) && !ts.isInterfaceDeclaration(statement)) return []
  if (!statement.modifiers?.some((each) => each.kind === ts.SyntaxKind.ExportKeyword)) return []
  if (statement.typeParameters) throw new Error(`${statement.name.text} has parameters`)
  const type = checker.getTypeAtLocation(statement.name)
  const name = statement.name.text
  return [`${schemaComment(statement.parent, name)}export type ${name} = ${write(checker, type, '', [])}\n`]
}

/** Returns the description of the schema that has the name of a type; empty when there is none. */
function schemaComment(source: ts.Node, name: string): string {
  const declarations = ts.isSourceFile(source)
    ? source.statements.filter(ts.isVariableStatement).flatMap((each) => each.declarationList.declarations)
    : []
  const schema = declarations.find((each) => ts.isIdentifier(each.name) && each.name.text === name)
  const text = schema?.initializer && description(schema.initializer)
  return text ? `/** ${text} */\n` : ''
}

/** @param above - Types that are being written: where one of them contains itself, it is `unknown`. */
function write(checker: ts.TypeChecker, type: ts.Type, indent: string, above: readonly ts.Type[]): string {
  if (above.includes(type)) return 'unknown'
  const inside = (each: ts.Type) => write(checker, each, indent, [...above, type])
  if (type.isUnion() && !(type.flags & ts.TypeFlags.Boolean)) {
    const parts = [...new Set(withoutBooleans(checker, type.types).map(inside))]
    return parts.sort((a, b) => LAST.indexOf(a) - LAST.indexOf(b)).join(' | ')
  }
  if (type.isIntersection()) return type.types.map((each) => `(${inside(each)})`).join(' & ')
  if (checker.isArrayType(type)) {
    const [element] = checker.getTypeArguments(type as ts.TypeReference)
    const isReadonly = type.symbol.name === 'ReadonlyArray'
    return `${isReadonly ? 'Readonly' : ''}Array<${element ? inside(element) : 'unknown'}>`
  }
  if (type.flags & ts.TypeFlags.Object) return writeObject(checker, type, indent, [...above, type])
  return checker.typeToString(type, undefined, ts.TypeFormatFlags.NoTruncation)
}

/** Returns a union's types with `boolean` for its two halves. */
function withoutBooleans(checker: ts.TypeChecker, types: readonly ts.Type[]): readonly ts.Type[] {
  const halves = types.filter((each) => each.flags & ts.TypeFlags.BooleanLiteral)
  return halves.length < 2
    ? types
    : [...types.filter((each) => !halves.includes(each)), checker.getBooleanType()]
}

function writeObject(
  checker: ts.TypeChecker,
  type: ts.Type,
  indent: string,
  above: readonly ts.Type[],
): string {
  if (type.getCallSignatures().length > 0) throw new Error(`${checker.typeToString(type)} is a function`)
  const deeper = `${indent}    `
  const indices = checker
    .getIndexInfosOfType(type)
    .map(
      ({ keyType, type: value, isReadonly }) =>
        `${deeper}${isReadonly ? 'readonly ' : ''}[key: ${checker.typeToString(keyType)}]: ${write(checker, value, deeper, above)};\n`,
    )
  const fields = checker.getPropertiesOfType(type).map((field) => {
    const optional = (field.flags & ts.SymbolFlags.Optional) !== 0
    const name = /^[A-Za-z_]\w*$/.test(field.name) ? field.name : JSON.stringify(field.name)
    const value = checker.getTypeOfSymbol(field)
    const text = write(checker, value, deeper, above)
    return `${comment(field, deeper)}${deeper}readonly ${name}${optional ? '?' : ''}: ${text};\n`
  })
  return `{\n${indices.join('')}${fields.join('')}${indent}}`
}

/** Returns the field's own comment, or the description in its schema; empty when it has neither. */
function comment(field: ts.Symbol, indent: string): string {
  const declaration = field.declarations?.[0]
  const text =
    ts.displayPartsToString(field.getDocumentationComment(undefined)) ||
    (declaration && ts.isPropertyAssignment(declaration) ? description(declaration.initializer) : undefined)
  return text ? `${indent}/** ${text.replaceAll('\n', ' ').replaceAll('*/', '')} */\n` : ''
}

/** Returns `description` of the outermost `.meta({ description })` of a schema. */
function description(schema: ts.Expression): string | undefined {
  if (!ts.isCallExpression(schema) || !ts.isPropertyAccessExpression(schema.expression)) return undefined
  const { name, expression } = schema.expression
  const [given] = schema.arguments
  if (name.text !== 'meta' || !given || !ts.isObjectLiteralExpression(given)) return description(expression)
  for (const each of given.properties) {
    if (!ts.isPropertyAssignment(each) || each.name.getText() !== 'description') continue
    if (ts.isStringLiteralLike(each.initializer)) return each.initializer.text
  }
  return description(expression)
}
