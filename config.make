# Rules of the generated headers, appended to nginx's own Makefile.

ngx_enroll_dir=$ngx_addon_dir/ngx_enroll_module
ngx_enroll_embed=$ngx_addon_dir/tools/embed.sh
ngx_enroll_lua=`ls $ngx_enroll_dir/ledger/*.lua 2>/dev/null | tr '\n' ' '`
ngx_enroll_html=`ls $ngx_enroll_dir/http/*.html 2>/dev/null | tr '\n' ' '`

cat << END                                                    >> $NGX_MAKEFILE

$NGX_OBJS/ngx_enroll_scripts.h:	$ngx_enroll_embed $ngx_enroll_lua
	sh $ngx_enroll_embed \$@ NGX_ENROLL_LUA_ $ngx_enroll_lua

$NGX_OBJS/ngx_http_enroll_pages.h:	$ngx_enroll_embed $ngx_enroll_html
	sh $ngx_enroll_embed \$@ NGX_HTTP_ENROLL_HTML_ $ngx_enroll_html

END
