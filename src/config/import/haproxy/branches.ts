import type { Variables } from './lexer.ts';

/** One `.if` that is open. */
interface Branch {
  /** The lines of this branch count. */
  active: boolean;
  /** A branch of it has counted, or the whole of it does not. */
  decided: boolean;
  else: boolean;
}

/** `.if`, `.elif`, `.else` and `.endif` (HAProxy's manual, 2.4), line by line. */
export class Branches {
  readonly #open: Branch[] = [];
  readonly #variables: Variables;

  constructor(variables: Variables) {
    this.#variables = variables;
  }

  /** Do the lines count that come now? */
  get active(): boolean {
    return this.#open.at(-1)?.active ?? true;
  }

  get isOpen(): boolean {
    return this.#open.length > 0;
  }

  /** @returns what is wrong with the line */
  read(keyword: string, expression: string): string | undefined {
    if (keyword === '.if') return this.#if(expression);
    const branch = this.#open.at(-1);
    if (branch === undefined) return 'there is no .if before it';
    if (keyword === '.endif') {
      this.#open.pop();
      return undefined;
    }
    if (branch.else) return 'it stands behind .else';
    const value = keyword === '.else' || branch.decided ? true : this.#evaluate(expression);
    if (value === undefined) return UNDECIDED;
    branch.else = keyword === '.else';
    branch.active = value && !branch.decided;
    branch.decided ||= branch.active;
    return undefined;
  }

  #if(expression: string): string | undefined {
    // in a branch that does not count, nothing has to be decided
    const value = this.active ? this.#evaluate(expression) : false;
    if (value === undefined) return UNDECIDED;
    this.#open.push({ active: value, decided: value || !this.active, else: false });
    return undefined;
  }

  #evaluate(expression: string): boolean | undefined {
    return new Expression(expression, this.#variables).value();
  }
}

const UNDECIDED = 'this condition cannot be decided here';

/** Far more than anybody writes. */
const MAX_DEPTH = 64;

/** "!defined(A) || streq("$B",c) && (1)": "&&" before "||", as HAProxy 2.5 and later have it. */
class Expression {
  readonly #variables: Variables;
  #rest: string;
  #depth = 0;

  constructor(text: string, variables: Variables) {
    this.#rest = text.trim();
    this.#variables = variables;
  }

  /** Undefined for what is not understood. */
  value(): boolean | undefined {
    if (this.#rest === '') return false;
    const value = this.#any();
    return this.#rest === '' ? value : undefined;
  }

  #any(): boolean | undefined {
    let value = this.#all();
    while (this.#take('||')) value = either(value, this.#all());
    return value;
  }

  #all(): boolean | undefined {
    let value = this.#term();
    while (this.#take('&&')) value = both(value, this.#term());
    return value;
  }

  #term(): boolean | undefined {
    let negated = false;
    while (this.#take('!')) negated = !negated;
    const value = this.#take('(') ? this.#inner() : this.#call();
    return value === undefined ? undefined : value !== negated;
  }

  #inner(): boolean | undefined {
    if (++this.#depth > MAX_DEPTH) return undefined;
    const value = this.#any();
    return this.#take(')') ? value : undefined;
  }

  #call(): boolean | undefined {
    const [whole, number, name = '', list = ''] =
      /^(?:(-?\d+)|([a-z_]+)\(([^()]*)\))\s*/.exec(this.#rest) ?? [];
    if (whole === undefined) return undefined;
    this.#rest = this.#rest.slice(whole.length);
    if (number !== undefined) return Number(number) !== 0;
    const [first = '', second = ''] = list.split(',').map((word) => word.trim());
    switch (name) {
      case 'defined':
        return this.#variables(first) !== undefined;
      case 'streq':
        return first === second;
      case 'strneq':
        return first !== second;
      case 'strstr':
        return first.includes(second);
      default:
        return undefined;
    }
  }

  #take(token: string): boolean {
    if (!this.#rest.startsWith(token)) return false;
    this.#rest = this.#rest.slice(token.length).trimStart();
    return true;
  }
}

const either = (a: boolean | undefined, b: boolean | undefined): boolean | undefined =>
  a === undefined || b === undefined ? undefined : a || b;
const both = (a: boolean | undefined, b: boolean | undefined): boolean | undefined =>
  a === undefined || b === undefined ? undefined : a && b;
